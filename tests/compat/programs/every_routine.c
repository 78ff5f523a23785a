/* every_routine.c: every routine has exactly the type of the book, in every language; and what the book's C++
   wrapper does around the header compiles. Then a round without a controller: addresses, options, decoding,
   sending. */
#include <stddef.h>

#ifdef __cplusplus
/* As the wrapper has it: types declared again, constants of the same names in a namespace of its own. */
typedef void mta_nq_t;
typedef void mta_dq_t;
typedef struct mta_item_list_s mta_item_list_t;
namespace wrapper {
const int MTA_OK = 0;
const int MTA_BADARGS = 3;
const int MTA_TIMEDOUT = 20;
}  // namespace wrapper
using namespace wrapper;
#endif

#include <mtasdk.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { alfa_size = ALFA_SIZE, channel_length = CHANLENGTH };
#undef ALFA_SIZE
#undef CHANLENGTH

/* Function types, not pointers: they declare functions. */
#ifdef __cplusplus
extern "C" {
#endif
static mta_dq_process_message_t process_message;
static mta_dq_process_done_t process_done;
static mta_decode_read_t read_line;
static mta_decode_write_t write_line;
static mta_decode_inspect_t inspect;
#ifdef __cplusplus
}
#endif

struct routines {
  int (*init)(int, ...);
  void (*done)(void);
  int (*enqueue_start)(mta_nq_t**, const char*, size_t, int, ...);
  int (*enqueue_to)(mta_nq_t*, const char*, size_t, int, ...);
  int (*enqueue_write)(mta_nq_t*, const char*, size_t, const char*, ...);
  int (*enqueue_write_line)(mta_nq_t*, const char*, size_t, const char*, ...);
  int (*enqueue_copy_message)(mta_nq_t*, mta_dq_t*, int);
  int (*enqueue_info)(mta_nq_t*, int, ...);
  const char* (*enqueue_error)(mta_nq_t*, const char**, size_t*, int);
  int (*enqueue_finish)(mta_nq_t*, int, ...);
  int (*dequeue_start)(void*, mta_dq_process_message_t*, mta_dq_process_done_t*, int, ...);
  int (*dequeue_recipient_next)(mta_dq_t*, const char**, size_t*, int, ...);
  int (*dequeue_info)(mta_dq_t*, int, ...);
  int (*dequeue_line_next)(mta_dq_t*, const char**, size_t*);
  int (*dequeue_rewind)(mta_dq_t*);
  int (*dequeue_recipient_disposition)(mta_dq_t*, const char*, size_t, size_t, int, ...);
  int (*dequeue_message_finish)(mta_dq_t*, int, ...);
  int (*dequeue_thread_id)(mta_dq_t*);
  void (*dequeue_defaults)(size_t*, size_t*, size_t*, size_t*, size_t*, size_t*, size_t*);
  int (*decode_message)(void*, int, void*, int, void*, mta_decode_inspect_t*, int, ...);
  int (*decode_info_int)(mta_decode_t*, int);
  mta_opt_t* (*decode_info_params)(mta_decode_t*, int, mta_opt_t**);
  const char* (*decode_info_string)(mta_decode_t*, int, const char**, size_t*);
  int (*decode_part_copy)(mta_decode_t*, int, ...);
  int (*decode_part_delete)(mta_decode_t*, int, ...);
  int (*address_parse)(mta_adr_t**, size_t*, const char*, size_t, int, ...);
  int (*address_get_n)(mta_adr_t*, size_t, const char**, size_t*, int);
  void (*address_finish)(mta_adr_t*);
  int (*address_parts)(const char*, size_t, char*, size_t*, size_t, char*, size_t*, size_t, char*, size_t*,
                       size_t, char*, size_t*, size_t);
  const char* (*address_to_channel)(char*, size_t*, size_t, const char*, size_t, int, int, ...);
  int (*option_start)(mta_opt_t**, const char*, size_t, int);
  int (*option_int)(mta_opt_t*, const char*, size_t, int*);
  int (*option_float)(mta_opt_t*, const char*, size_t, double*);
  int (*option_string)(mta_opt_t*, const char*, size_t, char*, size_t*, size_t);
  void (*option_finish)(mta_opt_t*);
  int (*error_number)(void);
  const char* (*str_error)(int, int);
  int (*debug)(int, ...);
  void (*log)(const char*, ...);
  void (*logv)(const char*, va_list);
  size_t (*block_size)(void);
  size_t (*stack_size)(void);
  const char* (*channel_get_name)(char*, size_t*, size_t);
  const char* (*channel_to_host)(char**, size_t*, int, ...);
  const char* (*date_time)(char*, size_t*, size_t, time_t);
  const char* (*postmaster_address)(const char**, size_t*, int, ...);
  const char* (*unique_string)(char*, size_t*, size_t);
  int (*version_major)(void);
  int (*version_minor)(void);
  int (*version_revision)(void);
  int (*send)(mta_item_list_t*);
  void (*send_dispose)(mta_item_list_t*);
  mta_item_list_t* (*item_list_int)(mta_item_list_t*, int, size_t);
  mta_item_list_t* (*item_list_str)(mta_item_list_t*, int, const char*, size_t);
  mta_item_list_t* (*item_list_copy)(const mta_item_list_t*);
  void (*item_list_dispose)(mta_item_list_t*);
};

static const struct routines all = {mtaInit,
                                    mtaDone,
                                    mtaEnqueueStart,
                                    mtaEnqueueTo,
                                    mtaEnqueueWrite,
                                    mtaEnqueueWriteLine,
                                    mtaEnqueueCopyMessage,
                                    mtaEnqueueInfo,
                                    mtaEnqueueError,
                                    mtaEnqueueFinish,
                                    mtaDequeueStart,
                                    mtaDequeueRecipientNext,
                                    mtaDequeueInfo,
                                    mtaDequeueLineNext,
                                    mtaDequeueRewind,
                                    mtaDequeueRecipientDisposition,
                                    mtaDequeueMessageFinish,
                                    mtaDequeueThreadId,
                                    mtaDequeueDefaults,
                                    mtaDecodeMessage,
                                    mtaDecodeMessageInfoInt,
                                    mtaDecodeMessageInfoParams,
                                    mtaDecodeMessageInfoString,
                                    mtaDecodeMessagePartCopy,
                                    mtaDecodeMessagePartDelete,
                                    mtaAddressParse,
                                    mtaAddressGetN,
                                    mtaAddressFinish,
                                    mtaAddressParts,
                                    mtaAddressToChannel,
                                    mtaOptionStart,
                                    mtaOptionInt,
                                    mtaOptionFloat,
                                    mtaOptionString,
                                    mtaOptionFinish,
                                    mtaErrno,
                                    mtaStrError,
                                    mtaDebug,
                                    mtaLog,
                                    mtaLogv,
                                    mtaBlockSize,
                                    mtaStackSize,
                                    mtaChannelGetName,
                                    mtaChannelToHost,
                                    mtaDateTime,
                                    mtaPostmasterAddress,
                                    mtaUniqueString,
                                    mtaVersionMajor,
                                    mtaVersionMinor,
                                    mtaVersionRevision,
                                    mtaSend,
                                    mtaSendDispose,
                                    mtaItemListInt,
                                    mtaItemListStr,
                                    mtaItemListCopy,
                                    mtaItemListDispose};

static int failures = 0;
#define CHECK(condition) \
  if (!(condition)) failures++, printf("line %d: %s (last error %d)\n", __LINE__, #condition, mta_errno)

/* Two parts in, decoded; the second is replaced on the way out. */
static const char* const message[] = {"MIME-Version: 1.0",
                                      "Content-Type: multipart/mixed; boundary=b",
                                      "",
                                      "--b",
                                      "Content-Type: text/plain; charset=us-ascii",
                                      "Content-Transfer-Encoding: base64",
                                      "",
                                      "SGVsbG8u",
                                      "--b",
                                      "Content-Type: application/x-bad; name=\"a b\"",
                                      "",
                                      "xxx",
                                      "--b--",
                                      NULL};
static size_t next_line = 0;
static char text[1024];    /* decoded text of the first part */
static char written[4096]; /* what was written */

static int read_line(void* ctx, const char** line, size_t* length) {
  (void)ctx;
  if (message[next_line] == NULL) return MTA_EOF;
  *line = message[next_line++];
  *length = strlen(*line);
  return 0;
}

static int write_line(void* ctx, mta_decode_t* dctx, const char** line, size_t* length) {
  (void)ctx;
  (void)dctx;
  strncat(written, *line, *length);
  strcat(written, "\n");
  return 0;
}

static int inspect(void* ctx, mta_decode_t* dctx, int type, const char* data, size_t length) {
  mta_opt_t* parameters = NULL;
  char name[BIGALFA_SIZE + 1];
  const char* value = NULL;

  (void)ctx;
  CHECK(mtaDecodeMessageInfoInt(dctx, MTA_DECODE_DTYPE) == type);
  CHECK(mtaDecodeMessageInfoString(dctx, MTA_DECODE_CTYPE, &value, NULL) == value);
  if (type == MTA_DATA_TEXT) strncat(text, data, length);
  if (type != MTA_DATA_NONE) return 0;
  if (mtaDecodeMessageInfoInt(dctx, MTA_DECODE_PART_NUMBER) == 0) return mtaDecodeMessagePartCopy(dctx, 0);
  CHECK(mtaDecodeMessageInfoParams(dctx, MTA_DECODE_CTYPE_PARAMS, &parameters) == parameters);
  CHECK(mtaOptionString(parameters, "NAME", 0, name, NULL, sizeof name) == MTA_OK &&
        strcmp(name, "a b") == 0);
  return mtaDecodeMessagePartDelete(dctx, MTA_REASON, "It was bad.", (size_t)0, MTA_DECODE_CTYPE, "text",
                                    (size_t)0, MTA_DECODE_CSUBTYPE, "plain", (size_t)0, 0);
}

static int process_message(void** ctx2, void* ctx1, mta_dq_t* dq, const char* from, size_t length) {
  (void)ctx2;
  (void)ctx1;
  (void)dq;
  (void)from;
  (void)length;
  return MTA_ABORT;
}

static void process_done(void* ctx2, void* ctx1) {
  (void)ctx2;
  (void)ctx1;
}

/* The callbacks' types are those that the routines take. */
static void decode(void) {
  mta_decode_read_t* const reader = read_line;
  mta_decode_write_t* const writer = write_line;
  void *input, *output;

  memcpy(&input, &reader, sizeof input);
  memcpy(&output, &writer, sizeof output);
  CHECK(mtaDecodeMessage(NULL, MTA_DECODE_PROC, input, MTA_DECODE_PROC, output, inspect, MTA_TERM_NONE, 0) ==
        MTA_OK);
  CHECK(strcmp(text, "Hello.xxx") == 0 || strcmp(text, "Hello.") == 0);
  CHECK(strstr(written, "SGVsbG8u") != NULL);
  CHECK(strstr(written, "It was bad.") != NULL);
  CHECK(strstr(written, "xxx") == NULL);
}

int main(void) {
  mta_item_list_t list[2];
  mta_item_list_t* grown = NULL;
  mta_adr_t* addresses = NULL;
  mta_nq_t* nq = NULL;
  const char* string = NULL;
  char buffer[alfa_size + 1];
  size_t count = 0;

  CHECK(channel_length == 32 && MTA_OK == 0 && MTA_TIMEDOUT == 20);
  CHECK(all.init(0) == MTA_OK);
  CHECK(mtaAddressParse(&addresses, &count, "A. Person <ap@a.example>, bo", 0, MTA_DOMAIN, "b.example",
                        (size_t)0, 0) == MTA_OK);
  CHECK(count == 2);
  CHECK(mtaAddressGetN(addresses, 1, &string, NULL, MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN) == MTA_OK &&
        strcmp(string, "bo@b.example") == 0);
  mtaAddressFinish(addresses);
  CHECK(mtaAddressToChannel(buffer, NULL, sizeof buffer, "bob@send.example", 0, MTA_ENV_TO, 0) == buffer);
  CHECK(mtaUniqueString(buffer, &count, sizeof buffer) == buffer && strlen(buffer) == count);
  CHECK(mtaDateTime(buffer, NULL, sizeof buffer, (time_t)0) == buffer);
  decode();

  list[0].item_code = MTA_ENV_ID; /* an array, between items; plain int constants for numbers */
  list[0].item_address = "id";
  list[0].item_length = 0;
  list[1].item_code = 0;
  CHECK(mtaEnqueueStart(&nq, "ann@example.org", 0, MTA_NOTIFY_FLAGS, 0x10, MTA_ITEM_LIST, list,
                        MTA_DELIVERY_FLAGS, 2, MTA_CHANNEL, "maildir", 0, 0) == MTA_OK);
  CHECK(mtaEnqueueInfo(nq, MTA_ENV_ID, &string, &count, 0) == MTA_OK && count == 2 &&
        strcmp(string, "id") == 0);
  CHECK(mtaEnqueueTo(nq, "bob@send.example", 0, 0) == MTA_OK);
  CHECK(mtaEnqueueWriteLine(nq, "Subject: ", 0, "every routine", (size_t)0, 0) == MTA_OK);
  CHECK(mtaEnqueueFinish(nq, 0) == MTA_OK);
  CHECK(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);

  grown = mtaItemListStr(grown, MTA_TO, "bob@send.example", 0);
  grown = mtaItemListStr(grown, MTA_SUBJECT, "sent", 0);
  CHECK(mtaSend(grown) == MTA_OK);
  mtaSendDispose(grown);
  mtaItemListDispose(grown);
  CHECK(mtaDequeueStart(NULL, NULL, process_done, 0) == MTA_BADARGS);
  CHECK(mtaDequeueStart(NULL, process_message, process_done, 999, 0) == MTA_NOSUCHITEM);
  all.done();
  return failures == 0 ? 0 : 1;
}
