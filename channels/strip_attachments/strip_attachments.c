/*
 * strip_attachments: an intermediate channel that takes attachments of bad types and names out of messages,
 * leaves a note in the place of each, and passes the messages on.
 *
 * In plain C on the C interface (mtasdk.h); shows mtaDecodeMessage() with an inspection that deletes parts.
 * Options:
 *
 *   BAD_TYPES   patterns of content types, divided by blanks or commas: application/x-ms* application/java
 *   BAD_NAMES   patterns of file names, likewise: *.exe *.js setup*. One of both is required
 *   NOTE        what takes an attachment's place, before its name. Default: An attachment was removed:
 *
 * Patterns are those of the shell (* ? [a-z]), in any case; dots and blanks at the end of a name do not
 * count. All else stays byte for byte. Attachments of messages that are attached are looked at, too; archives
 * are not opened.
 *
 * Where a message goes next is decided by the routes for mail that this channel enqueues ([routes from
 * NAME]); a recipient whose mail would come straight back is deferred. The new message is on the disk before
 * the old one is finished: a crash in between makes it twice, never not at all.
 *
 * Exit status: 0 when the controller had nothing more to do for us, 1 otherwise; the reason is in the log.
 */
#define _GNU_SOURCE /* FNM_CASEFOLD */
#include <mtasdk.h>

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct settings {
  char bad_types[BIGALFA_SIZE + 1], bad_names[BIGALFA_SIZE + 1], note[BIGALFA_SIZE + 1];
  char channel[CHANLENGTH + 1];
};

/* Whether one of the patterns is that of the text. */
static int matches(const char* patterns, const char* text) {
  char pattern[BIGALFA_SIZE + 1];
  size_t length;

  for (;;) {
    patterns += strspn(patterns, " \t,");
    length = strcspn(patterns, " \t,");
    if (length == 0) return 0;
    memcpy(pattern, patterns, length);
    pattern[length] = '\0';
    if (fnmatch(pattern, text, FNM_CASEFOLD) == 0) return 1;
    patterns += length;
  }
}

/* The name of the file that a part is; empty: it has none. */
static void file_name_of(mta_decode_t* part, char name[BIGALFA_SIZE + 1]) {
  size_t length = 0, i;

  name[0] = '\0';
  mtaOptionString(mtaDecodeMessageInfoParams(part, MTA_DECODE_CTYPE_PARAMS, NULL), "NAME", 0, name, &length,
                  BIGALFA_SIZE + 1);
  mtaOptionString(mtaDecodeMessageInfoParams(part, MTA_DECODE_CDISP_PARAMS, NULL), "FILENAME", 0, name,
                  &length, BIGALFA_SIZE + 1);
  while (length > 0 && strchr(". \t", name[length - 1]) != NULL) name[--length] = '\0';
  for (i = 0; i < length; i++)
    if (iscntrl((unsigned char)name[i])) name[i] = '?';
}

/* Called with each piece of each part; the first call decides, and is the only one for its part. */
static int inspect(void* context, mta_decode_t* part, int data_type, const char* data, size_t length) {
  const struct settings* s = context;
  char type[2 * BIGALFA_SIZE], name[BIGALFA_SIZE + 1], note[3 * BIGALFA_SIZE + 8];

  (void)data_type, (void)data, (void)length;
  file_name_of(part, name);
  snprintf(type, sizeof type, "%s/%s", mtaDecodeMessageInfoString(part, MTA_DECODE_CTYPE, NULL, NULL),
           mtaDecodeMessageInfoString(part, MTA_DECODE_CSUBTYPE, NULL, NULL));
  if (!matches(s->bad_types, type) && !(name[0] != '\0' && matches(s->bad_names, name)))
    return mtaDecodeMessagePartCopy(part, 0);

  mtaLog("strip_attachments: removed \"%s\" (%s)", name, type);
  sprintf(note, "%s %s\n", s->note, name[0] != '\0' ? name : type);
  return mtaDecodeMessagePartDelete(part, MTA_REASON, note, (size_t)0, MTA_DECODE_CCHARSET, "utf-8",
                                    (size_t)0, 0);
}

/* Adds a recipient, unless nobody may be added; either way it is noted what becomes of him. */
static int add_recipient(mta_nq_t* nq, mta_dq_t* dq, const char* own, const char* to, size_t length,
                         int* count) {
  const char* why = "passed on";
  char channel[CHANLENGTH + 1];
  int status, disposition = MTA_DISP_RELAYED;

  if (mtaAddressToChannel(channel, NULL, sizeof channel, to, length, MTA_ENV_TO, 0) != NULL &&
      strcmp(channel, own) == 0) {
    disposition = MTA_DISP_DEFERRED;
    why = "the routes lead back to this channel; give the configuration a [routes from ...] section for it";
  } else {
    status = mtaEnqueueTo(nq, to, length, MTA_DQ_CONTEXT, dq, MTA_ENV_TO, 0);
    if (status == MTA_OK) {
      ++*count;
    } else if (status == MTA_NO) {
      disposition = MTA_DISP_FAILED;
      why = mtaEnqueueError(nq, NULL, NULL, 0);
    } else {
      return status;
    }
  }
  if (disposition != MTA_DISP_RELAYED) mtaLog("strip_attachments: %.*s: %s", (int)length, to, why);
  return mtaDequeueRecipientDisposition(dq, to, length, disposition, MTA_REASON, why, (size_t)0, 0);
}

/* All but deferring the message. */
static int pass_on(mta_dq_t* dq, struct settings* s, const char* from, size_t from_length) {
  mta_nq_t* nq = NULL;
  const char* to;
  size_t length;
  const char* why;
  int count = 0, status = mtaEnqueueStart(&nq, from, from_length, MTA_DQ_CONTEXT, dq, 0);

  if (status != MTA_OK) return status;
  while ((status = mtaDequeueRecipientNext(dq, &to, &length, 0)) == MTA_OK)
    if ((status = add_recipient(nq, dq, s->channel, to, length, &count)) != MTA_OK) break;
  if (status == MTA_EOF && count > 0) {
    status = mtaDecodeMessage(s, MTA_DECODE_DQ, dq, MTA_DECODE_NQ, nq, inspect, 0);
    if (status == MTA_OK) {
      status = mtaEnqueueFinish(nq, MTA_REASON, &why, (size_t*)NULL, 0);
      if (status == MTA_NO) /* a mail loop: another attempt will not help */
        return mtaDequeueMessageFinish(dq, MTA_DISP, MTA_DISP_FAILED, MTA_REASON, why, (size_t)0, 0);
      return status == MTA_OK ? mtaDequeueMessageFinish(dq, 0) : status;
    }
  }
  mtaEnqueueFinish(nq, MTA_ABORT, 0);
  if (status != MTA_EOF) return status;
  return mtaDequeueMessageFinish(dq, 0); /* nobody was left to pass it on to */
}

static int process_message(void** thread_state, void* program_state, mta_dq_t* dq, const char* from,
                           size_t length) {
  int status = pass_on(dq, program_state, from, length);

  (void)thread_state;
  if (status == MTA_OK) return MTA_OK;
  mtaLog("strip_attachments: a message is deferred: %s", mtaStrError(status, 0));
  return mtaDequeueMessageFinish(dq, MTA_ABORT, MTA_REASON, mtaStrError(status, 0), (size_t)0, 0);
}

static int read_settings(struct settings* s) {
  mta_opt_t* options = NULL;
  int status = mtaOptionStart(&options, NULL, 0, 0);

  memset(s, 0, sizeof *s);
  strcpy(s->note, "An attachment was removed:");
  if (status == MTA_OK)
    status = mtaOptionString(options, "BAD_TYPES", 0, s->bad_types, NULL, sizeof s->bad_types);
  if (status == MTA_OK)
    status = mtaOptionString(options, "BAD_NAMES", 0, s->bad_names, NULL, sizeof s->bad_names);
  if (status == MTA_OK) status = mtaOptionString(options, "NOTE", 0, s->note, NULL, sizeof s->note);
  mtaOptionFinish(options);
  if (status == MTA_OK && mtaChannelGetName(s->channel, NULL, sizeof s->channel) == NULL) status = mtaErrno();
  if (status != MTA_OK || s->bad_types[0] != '\0' || s->bad_names[0] != '\0') return status;
  mtaLog("strip_attachments: option BAD_TYPES or BAD_NAMES must say what to remove");
  return MTA_NO;
}

int main(void) {
  struct settings s;
  int status = mtaInit(0);

  if (status == MTA_OK) status = read_settings(&s);
  if (status == MTA_OK) status = mtaDequeueStart(&s, process_message, NULL, 0);
  if (status != MTA_OK) mtaLog("strip_attachments: %s", mtaStrError(status, 0));
  mtaDone();
  return status == MTA_OK ? 0 : 1;
}
