/*
 * sms_gateway: turns each message into short messages, in the spool directory of a gateway such as smstools.
 *
 * In plain C on the C interface (mtasdk.h); shows option files, addresses, decoding, and a disposition for
 * each recipient. Options:
 *
 *   SPOOL         absolute path of the spool directory. Required
 *   MAX_LENGTH    characters in a short message, 1 to 1600. Default 160
 *   PREFIX        put before each text. Default: none
 *   COUNTRY_CODE  digits that replace the 0 of a national number. Default: none, and such numbers fail
 *   MAX_WAITING   files in the spool at which it is full. Default 1000
 *
 * The number is the local part of the address: +4930123, 004930123, 030-123 (with a COUNTRY_CODE), 4930123.
 * What is no number fails for good; a spool that is full or cannot be written defers. The text is the subject
 * and the first part that is plain text, words divided by single blanks, cut after MAX_LENGTH characters.
 *
 * A file is complete and flushed to the disk before it gets its name. After a crash a short message may be
 * sent again.
 *
 * Exit status: 0 when the controller had nothing more to do for us, 1 otherwise; the reason is in the log.
 */
#define _POSIX_C_SOURCE 200809L
#include <mtasdk.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_CHARACTERS 1600
#define MOST_RECIPIENTS 257 /* of a message in the queue; one more than it has */

struct settings {
  char spool[ALFA_SIZE + 1], prefix[ALFA_SIZE + 1], country_code[ALFA_SIZE + 1];
  int max_length, max_waiting;
};

struct text {
  char bytes[4 * MOST_CHARACTERS + 8]; /* UTF-8, NUL-terminated */
  size_t length;
  int characters, limit, blank_due, eight_bit;
  int part; /* number of the part that it comes from; -1: none yet */
};

static void add_byte(struct text* t, char c) {
  int continues = ((unsigned char)c & 0xC0) == 0x80; /* the character before it */
  if (t->characters + !continues > t->limit) t->limit = 0;
  if (t->limit == 0 || t->length + 1 >= sizeof t->bytes) return;
  t->characters += !continues;
  t->eight_bit |= (unsigned char)c > 127;
  t->bytes[t->length++] = c;
  t->bytes[t->length] = '\0';
}

static void add_words(struct text* t, const char* text, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    if ((unsigned char)text[i] <= ' ') {
      t->blank_due = t->length > 0;
      continue;
    }
    if (t->blank_due) add_byte(t, ' ');
    t->blank_due = 0;
    add_byte(t, text[i]);
  }
  t->blank_due = t->length > 0; /* a line's end divides words, too */
}

static const char* info(mta_decode_t* part, int item) {
  return mtaDecodeMessageInfoString(part, item, NULL, NULL);
}

/* Called with each piece of each part; takes the lines of the first part that is plain text, decoded. */
static int inspect(void* context, mta_decode_t* part, int data_type, const char* data, size_t length) {
  int number = mtaDecodeMessageInfoInt(part, MTA_DECODE_PART_NUMBER);
  char line[BIGALFA_SIZE];
  struct text* t = context;
  size_t i;

  if (data_type != MTA_DATA_TEXT || strcmp(info(part, MTA_DECODE_CTYPE), "text") != 0) return MTA_OK;
  if (strcmp(info(part, MTA_DECODE_CSUBTYPE), "plain") != 0) return MTA_OK;
  if (t->part < 0) t->part = number;
  if (t->part != number) return MTA_OK;
  memcpy(line, data, length); /* at most BIGALFA_SIZE bytes */
  if (strcasecmp(info(part, MTA_DECODE_CCHARSET), "utf-8") != 0)
    for (i = 0; i < length; i++)
      if ((unsigned char)line[i] > 127) line[i] = '?';
  add_words(t, line, length);
  return MTA_OK;
}

static int read_text(mta_dq_t* dq, const struct settings* s, struct text* t) {
  int status, begins, in_subject = 0;
  const char* line;
  size_t length;

  memset(t, 0, sizeof *t);
  t->limit = s->max_length;
  t->part = -1;
  add_words(t, s->prefix, strlen(s->prefix));
  /* mtaDecodeMessage() does not present the header of a message that has parts. */
  while ((status = mtaDequeueLineNext(dq, &line, &length)) == MTA_OK && length > 0) {
    begins = length >= 8 && strncasecmp(line, "Subject:", 8) == 0;
    in_subject = begins || (in_subject && (line[0] == ' ' || line[0] == '\t'));
    if (in_subject) add_words(t, line + 8 * begins, length - 8 * begins);
  }
  if (status == MTA_OK || status == MTA_EOF) status = mtaDequeueRewind(dq);
  return status == MTA_OK ? mtaDecodeMessage(t, MTA_DECODE_DQ, dq, 0, NULL, inspect, 0) : status;
}

/* The number in international form, without a sign, at most 15 digits (E.164); NULL or why there is none. */
static const char* read_number(const struct settings* s, const char* address, size_t length,
                               char number[32]) {
  char local[ALFA_SIZE + 1], *from = local, *to = local;

  if (mtaAddressParts(address, length, NULL, NULL, 0, NULL, NULL, 0, local, NULL, sizeof local, NULL, NULL,
                      0) != MTA_OK)
    return "not an address";
  for (; *from != '\0'; from++) /* what people put between digits */
    if (strchr(" -./()\"", *from) == NULL) *to++ = *from;
  *to = '\0';
  from = local;
  number[0] = '\0';
  if (*from == '+') {
    from++;
  } else if (strncmp(from, "00", 2) == 0) {
    from += 2;
  } else if (*from == '0') {
    if (s->country_code[0] == '\0') return "a national number, and no COUNTRY_CODE is configured";
    strcpy(number, s->country_code);
    from++;
  }
  if (strlen(from) + strlen(number) < 7 || strlen(from) + strlen(number) > 15)
    return "not a telephone number";
  if (from[strspn(from, "0123456789")] != '\0') return "not a telephone number";
  strcat(number, from);
  return NULL;
}

static int is_full(const struct settings* s) {
  int waiting = -2; /* . and .. do not count */
  DIR* spool = opendir(s->spool);
  if (spool == NULL) return 0; /* writing will say why */
  while (readdir(spool) != NULL) waiting++;
  closedir(spool);
  return waiting >= s->max_waiting;
}

static int flush_directory(const char* path) {
  int status, fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  status = fsync(fd);
  close(fd);
  return status;
}

/* Gateways skip files that begin with a dot, and look for the others at any moment. 0, or -1 and errno. */
static int write_file(const struct settings* s, const char* number, const struct text* t) {
  char unique[32], hidden[ALFA_SIZE + 64], name[ALFA_SIZE + 64];
  FILE* file;
  int bad;

  if (mtaUniqueString(unique, NULL, sizeof unique) == NULL) return -1;
  sprintf(hidden, "%s/.%s", s->spool, unique);
  sprintf(name, "%s/%s", s->spool, unique);
  if ((file = fopen(hidden, "wx")) == NULL) return -1;
  fprintf(file, "To: %s\n%s\n%s", number, t->eight_bit ? "Alphabet: UTF-8\n" : "", t->bytes);
  bad = fflush(file) != 0 || ferror(file) || fsync(fileno(file)) != 0;
  bad |= fclose(file) != 0;
  if (!bad && rename(hidden, name) == 0) return flush_directory(s->spool);
  unlink(hidden);
  return -1;
}

/* Notes what became of one recipient; takes effect when the message is finished. */
static int deliver(mta_dq_t* dq, const struct settings* s, const char* to, size_t length,
                   const struct text* t) {
  char number[32];
  const char* why = read_number(s, to, length, number);
  int disposition = why != NULL ? MTA_DISP_FAILED : MTA_DISP_DEFERRED;

  if (why == NULL && is_full(s)) why = "the spool is full";
  if (why == NULL && write_file(s, number, t) != 0)
    why = strerror(errno); /* NOLINT(concurrency-mt-unsafe): glibc's is thread-safe */
  if (why != NULL)
    mtaLog("sms_gateway: %.*s: %s", (int)length, to, why);
  else
    disposition = MTA_DISP_DELIVERED;
  return mtaDequeueRecipientDisposition(dq, to, length, disposition, MTA_REASON,
                                        why != NULL ? why : "in the spool", (size_t)0, 0);
}

/* Called for each message, by several threads at once. What is returned without a finish is deferred. */
static int process_message(void** thread_state, void* program_state, mta_dq_t* dq, const char* from,
                           size_t length) {
  const char* to[MOST_RECIPIENTS];
  size_t to_length[MOST_RECIPIENTS];
  int i, count = 0, status;
  struct text t;

  (void)thread_state, (void)from, (void)length;
  /* All recipients come before the content. What is beyond the array is deferred, and comes again. */
  while ((status = mtaDequeueRecipientNext(dq, &to[count], &to_length[count], 0)) == MTA_OK)
    if (count + 1 < MOST_RECIPIENTS) count++;
  if (status == MTA_EOF) status = read_text(dq, program_state, &t);
  for (i = 0; i < count && status == MTA_OK; i++)
    status = deliver(dq, program_state, to[i], to_length[i], &t);
  return status == MTA_OK ? mtaDequeueMessageFinish(dq, 0) : status;
}

static int read_settings(struct settings* s) {
  mta_opt_t* options = NULL;
  const char* wrong = NULL;
  int status = mtaOptionStart(&options, NULL, 0, 0);

  memset(s, 0, sizeof *s);
  s->max_length = 160; /* what is not in the file keeps its value */
  s->max_waiting = 1000;
  if (status != MTA_OK) return status;
  mtaOptionInt(options, "MAX_LENGTH", 0, &s->max_length);
  mtaOptionInt(options, "MAX_WAITING", 0, &s->max_waiting);
  mtaOptionString(options, "SPOOL", 0, s->spool, NULL, sizeof s->spool);
  mtaOptionString(options, "PREFIX", 0, s->prefix, NULL, sizeof s->prefix);
  mtaOptionString(options, "COUNTRY_CODE", 0, s->country_code, NULL, sizeof s->country_code);
  mtaOptionFinish(options);

  if (s->max_length < 1 || s->max_length > MOST_CHARACTERS) wrong = "MAX_LENGTH must be from 1 to 1600";
  if (s->max_waiting < 1) wrong = "MAX_WAITING must be at least 1";
  if (s->spool[0] != '/') wrong = "SPOOL must be an absolute path";
  if (strlen(s->country_code) > 3 || s->country_code[strspn(s->country_code, "0123456789")] != '\0')
    wrong = "COUNTRY_CODE must be one to three digits";
  if (wrong == NULL) return MTA_OK;
  mtaLog("sms_gateway: option %s", wrong);
  return MTA_NO;
}

int main(void) {
  struct settings s;
  int status = mtaInit(0);

  umask(077);
  if (status == MTA_OK) status = read_settings(&s);
  if (status == MTA_OK) status = mtaDequeueStart(&s, process_message, NULL, 0);
  if (status != MTA_OK) mtaLog("sms_gateway: %s", mtaStrError(status, 0));
  mtaDone();
  return status == MTA_OK ? 0 : 1;
}
