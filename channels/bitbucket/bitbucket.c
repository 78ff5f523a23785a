/*
 * bitbucket: discards every message of its channel.
 *
 * The smallest channel program there is, in plain C, on the C interface (mtasdk.h). It keeps no state, reads
 * no options and touches no message content, so it also serves to measure what the queue itself costs.
 *
 * Exit status: 0 when the controller had nothing more to do for us, 1 when the dequeue loop could not run;
 * the reason is in the log.
 */
#include <mtasdk.h>

/*
 * Called for each message, by several threads at once. Returning before mtaDequeueMessageFinish() has
 * succeeded leaves the message in the queue, to be tried again: so every early return below is safe.
 */
static int process_message(void** thread_state, void* program_state, mta_dq_t* message, const char* env_from,
                           size_t env_from_len) {
  int status;

  (void)thread_state;
  (void)program_state;
  (void)env_from;
  (void)env_from_len;

  /* The recipients must be read to their end before a message can be finished. */
  do status = mtaDequeueRecipientNext(message, NULL, NULL, 0);
  while (status == MTA_OK);
  if (status != MTA_EOF) {
    mtaLog("cannot read the recipients: %s", mtaStrError(status, 0));
    return status;
  }

  status = mtaDequeueMessageFinish(message, MTA_DISP, (size_t)MTA_DISP_DELIVERED, 0);
  if (status != MTA_OK) mtaLog("cannot finish a message: %s", mtaStrError(status, 0));
  return status;
}

int main(void) {
  int status = mtaInit(0);
  if (status == MTA_OK) status = mtaDequeueStart(NULL, process_message, NULL, 0);
  if (status != MTA_OK) mtaLog("bitbucket: %s", mtaStrError(status, 0));
  mtaDone();
  return status == MTA_OK ? 0 : 1;
}
