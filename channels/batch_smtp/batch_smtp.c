/*
 * batch_smtp: writes messages as batch SMTP (RFC 2442), the client's half of an SMTP session that nobody
 * answers.
 *
 * In plain C on the C interface (mtasdk.h), with several threads, each with a state of its own: a file.
 * Options:
 *
 *   FILE   absolute path; each thread begins a file of its own, FILE.UNIQUE. Default: standard output
 *   HOST   name in EHLO. Default: the channel's official host name
 *
 * A file is complete when its last line is QUIT. While a thread runs, and after a crash, it ends earlier;
 * every message whose final dot is there may be read all the same. No message is finished before it has been
 * flushed to the disk, and what a failed attempt has written of a message is cut off again. After a crash a
 * message may be in two files.
 *
 * Exit status: 0 when the controller had nothing more to do for us, 1 otherwise; the reason is in the log.
 */
#define _POSIX_C_SOURCE 200809L
#include <mtasdk.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
  char file[BIGALFA_SIZE + 1]; /* empty: standard output */
  char host[ALFA_SIZE + 1];
};

/* glibc's is thread-safe. */
static const char* last_error(void) { return strerror(errno); /* NOLINT(concurrency-mt-unsafe) */ }

struct batch { /* a thread's state */
  FILE* out;
  int broken; /* it ends within a message */
};

/* xtext (RFC 3461): what is no plain character becomes +XX. */
static void put_xtext(FILE* out, const char* text, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < '!' || c > '~' || c == '+' || c == '=')
      fprintf(out, "+%02X", (unsigned)c);
    else
      putc(c, out);
  }
}

/* The requests of a recipient, unless they are what a server assumes anyway. */
static void put_notify(FILE* out, size_t flags) {
  static const char* const words[] = {
      " NOTIFY=NEVER",   " NOTIFY=DELAY",         " NOTIFY=FAILURE",         NULL /* assumed */,
      " NOTIFY=SUCCESS", " NOTIFY=SUCCESS,DELAY", " NOTIFY=SUCCESS,FAILURE", " NOTIFY=SUCCESS,FAILURE,DELAY"};
  const char* word = words[(flags & MTA_NOTIFY_DELAY ? 1 : 0) + (flags & MTA_NOTIFY_FAILURE ? 2 : 0) +
                           (flags & MTA_NOTIFY_SUCCESS ? 4 : 0)];
  if (word != NULL) fputs(word, out);
}

/* MTA_EOF when all recipients have been written; another status when they could not be read. */
static int put_envelope(FILE* out, mta_dq_t* dq, const char* from, size_t from_length) {
  const char *text, *original;
  size_t length, original_length, flags;
  int status;

  fprintf(out, "MAIL FROM:<%.*s> BODY=8BITMIME", (int)from_length, from);
  status = mtaDequeueInfo(dq, MTA_ENV_ID, &text, &length, MTA_NOTIFY_FLAGS, &flags, 0);
  if (status != MTA_OK) return status;
  if (flags & MTA_NOTIFY_CONTENT_HEADER) fputs(" RET=HDRS", out);
  if (length > 0) {
    fputs(" ENVID=", out);
    put_xtext(out, text, length);
  }
  fputs("\r\n", out);

  while ((status = mtaDequeueRecipientNext(dq, &text, &length, MTA_NOTIFY_FLAGS, &flags, MTA_ORCPT_TO,
                                           &original, &original_length, 0)) == MTA_OK) {
    fprintf(out, "RCPT TO:<%.*s>", (int)length, text);
    put_notify(out, flags);
    if (original_length != length || memcmp(original, text, length) != 0) {
      fputs(" ORCPT=rfc822;", out);
      put_xtext(out, original, original_length);
    }
    fputs("\r\n", out);
  }
  return status;
}

static int put_content(FILE* out, mta_dq_t* dq) {
  const char* line;
  size_t length;
  int status;

  fputs("DATA\r\n", out);
  while ((status = mtaDequeueLineNext(dq, &line, &length)) == MTA_OK) {
    if (length > 0 && line[0] == '.') putc('.', out); /* RFC 5321, 4.5.2 */
    fwrite(line, 1, length, out);
    fputs("\r\n", out);
  }
  fputs(".\r\n", out);
  return status;
}

/* Pipes and terminals cannot be flushed further than this. */
static int flush_to_disk(FILE* out) {
  if (fflush(out) != 0 || ferror(out)) return -1;
  return fsync(fileno(out)) == 0 || errno == EINVAL || errno == EROFS ? 0 : -1;
}

/* A new file is not safe before its directory is. */
static int flush_directory(const char* file) {
  char directory[BIGALFA_SIZE + 1];
  int fd, status;

  strcpy(directory, file);
  strrchr(directory, '/')[1] = '\0';
  if ((fd = open(directory, O_RDONLY)) < 0) return -1;
  status = fsync(fd);
  close(fd);
  return status;
}

static struct batch* begin_batch(const struct settings* s) {
  char name[BIGALFA_SIZE + 64], unique[32];
  struct batch* b = malloc(sizeof *b);

  if (b == NULL || mtaUniqueString(unique, NULL, sizeof unique) == NULL) {
    free(b);
    return NULL;
  }
  b->broken = 0;
  b->out = stdout;
  if (s->file[0] != '\0') {
    sprintf(name, "%s.%s", s->file, unique);
    b->out = fopen(name, "wx");
    if (b->out == NULL || flush_directory(name) != 0) {
      mtaLog("batch_smtp: cannot make %s: %s", name, last_error());
      if (b->out != NULL) fclose(b->out);
      free(b);
      return NULL;
    }
  }
  fprintf(b->out, "EHLO %s\r\n", s->host);
  return b;
}

/* All recipients are tried again later; the thread ends, so that the next message begins a new batch. */
static int defer(mta_dq_t* dq, const char* why) {
  mtaLog("batch_smtp: a message is deferred: %s", why);
  mtaDequeueMessageFinish(dq, MTA_ABORT, MTA_REASON, why, (size_t)0, 0);
  return MTA_ABORT;
}

/* Called for each message, by several threads at once; *thread_state is NULL in a thread's first call. */
static int process_message(void** thread_state, void* program_state, mta_dq_t* dq, const char* from,
                           size_t length) {
  struct batch* b = *thread_state;
  const char* why;
  long before;
  int status;

  if (b == NULL && (b = begin_batch(program_state)) == NULL)
    return defer(dq, "no batch file can be made; the channel's log says why");
  *thread_state = b;
  before = ftell(b->out); /* -1: no way back, a pipe */

  status = put_envelope(b->out, dq, from, length);
  if (status == MTA_EOF) status = put_content(b->out, dq);
  if (status == MTA_EOF && flush_to_disk(b->out) == 0)
    return mtaDequeueMessageFinish(dq, MTA_DISP, (size_t)MTA_DISP_RELAYED, 0);

  why = status == MTA_EOF ? last_error() : mtaStrError(status, 0);
  __fpurge(b->out); /* what is in memory must not follow later */
  clearerr(b->out);
  b->broken = before < 0 || fseek(b->out, before, SEEK_SET) != 0 || ftruncate(fileno(b->out), before) != 0;
  return defer(dq, why);
}

/* Called once when a thread ends. */
static void end_batch(void* thread_state, void* program_state) {
  struct batch* b = thread_state;
  (void)program_state;
  if (b == NULL) return;
  if (!b->broken) fputs("QUIT\r\n", b->out);
  if (flush_to_disk(b->out) != 0) mtaLog("batch_smtp: QUIT was not written: %s", last_error());
  if (b->out != stdout) fclose(b->out);
  free(b);
}

static int read_settings(struct settings* s) {
  mta_opt_t* options = NULL;
  char* host = NULL;
  int status;

  s->file[0] = s->host[0] = '\0';
  if ((status = mtaOptionStart(&options, NULL, 0, 0)) != MTA_OK) return status;
  status = mtaOptionString(options, "FILE", 0, s->file, NULL, sizeof s->file);
  if (status == MTA_OK) status = mtaOptionString(options, "HOST", 0, s->host, NULL, sizeof s->host);
  mtaOptionFinish(options);
  if (status == MTA_OK && s->file[0] != '\0' && s->file[0] != '/') {
    mtaLog("batch_smtp: option FILE: \"%s\" must be an absolute path", s->file);
    return MTA_NO;
  }
  if (status == MTA_OK && s->host[0] == '\0') {
    if (mtaChannelToHost(&host, NULL, 0) == NULL) return mtaErrno();
    strncat(s->host, host, ALFA_SIZE);
  }
  return status;
}

int main(void) {
  struct settings s;
  size_t threads = 20;
  int status = mtaInit(0);

  umask(077); /* it is other people's mail */
  if (status == MTA_OK) status = read_settings(&s);
  if (status == MTA_OK) {
    if (s.file[0] == '\0') threads = 1;
    status = mtaDequeueStart(&s, process_message, end_batch, MTA_THREAD_MAX_THREADS, threads, 0);
  }
  if (status != MTA_OK) mtaLog("batch_smtp: %s", mtaStrError(status, 0));
  mtaDone();
  return status == MTA_OK ? 0 : 1;
}
