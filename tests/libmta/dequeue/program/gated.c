/* gated: a channel program in plain C for the tests. It says "begin" on its standard output for each message,
   then waits for a line on its standard input, and delivers. Its interval is an hour: it ends when it is told
   to. */
#include <mtasdk.h>

#include <stdio.h>
#include <unistd.h>

static int process_message(void** ctx2, void* ctx1, mta_dq_t* dq, const char* from, size_t length) {
  char c = 0;
  (void)ctx2;
  (void)ctx1;
  (void)from;
  (void)length;
  if (write(STDOUT_FILENO, "begin\n", 6) != 6) return MTA_ABORT;
  while (c != '\n')
    if (read(STDIN_FILENO, &c, 1) != 1) return MTA_ABORT;
  while (mtaDequeueRecipientNext(dq, NULL, NULL, 0) == MTA_OK) continue;
  return mtaDequeueMessageFinish(dq, MTA_DISP, (size_t)MTA_DISP_DELIVERED, 0);
}

int main(void) {
  int status = mtaInit(0);
  if (status == MTA_OK)
    status = mtaDequeueStart(NULL, process_message, NULL, MTA_THREAD_MAX_THREADS, (size_t)1,
                             MTA_JBC_RETRY_INTERVAL, (size_t)3600, 0);
  mtaDone();
  if (status != MTA_OK) fprintf(stderr, "gated: %s\n", mtaStrError(status, 0));
  return status;
}
