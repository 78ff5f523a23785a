/*
 * mtasdk.h - the MTA SDK: enqueue messages, and dequeue them from a channel's queue.
 *
 * Source-compatible with the header of the Messaging Server MTA SDK. Plain C89; also C++98 and later.
 *
 * Conventions
 *
 *   Strings: every input string comes with its length in bytes. Length 0 means NUL-terminated. Pointers for
 *   answers, and for their lengths, may be NULL unless said otherwise.
 *
 *   Items: routines with `int item_code, ...` take items, each a code followed by its own arguments, and end
 *   with the integer 0. MTA_ITEM_LIST, array is accepted by all of them. Items documented as size_t may be
 *   passed as plain int constants: of numbers, and of lengths of strings in a variable argument list, the low
 *   32 bits count.
 *
 *   Errors: int routines return MTA_OK (0) or one of the codes below; routines that return a pointer return
 *   NULL and leave the code in mta_errno, which is the calling thread's last error.
 *
 *   Threads: any thread may call any routine. One context must not be used by two threads at the same time
 *   (MTA_THREAD). A multi-threaded program calls mtaInit() while it has one thread.
 *
 *   Lifetime: strings returned from a context live as long as the context. See docs/mta-sdk.md.
 */
#ifndef MTASDK_H
#define MTASDK_H

#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#if defined(__GNUC__)
#define MTASDK_EXPORT __attribute__((__visibility__("default")))
#define MTASDK_PRINTF(string, first) __attribute__((__format__(__printf__, string, first)))
#else
#define MTASDK_EXPORT
#define MTASDK_PRINTF(string, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of strings, bytes, without the NUL; buffers are declared with one more. */
#define CHANLENGTH 32
#define ALFA_SIZE 256
#define BIGALFA_SIZE 1024

/* Status codes. */
#define MTA_OK 0          /* success */
#define MTA_ACCESS 1      /* an access rule refused it for good */
#define MTA_AGAIN 2       /* temporary failure; try later */
#define MTA_BADARGS 3     /* an invalid context, or NULL where that is not allowed */
#define MTA_EOF 4         /* no more */
#define MTA_FCREATE 5     /* a file cannot be created */
#define MTA_FIO 6         /* a file cannot be read or written */
#define MTA_FOPEN 7       /* a file (usually the configuration) cannot be opened */
#define MTA_NETWORK 8     /* the job controller cannot be talked to */
#define MTA_NO 9          /* failed for good */
#define MTA_NOMEM 10      /* out of memory */
#define MTA_NOOP 11       /* nothing to do */
#define MTA_NOSUCHCHAN 12 /* no such channel is configured */
#define MTA_NOSUCHHOST 13 /* no such host or domain */
#define MTA_NOSUCHITEM 14 /* this routine does not know that item code */
#define MTA_ORDER 15      /* called out of order */
#define MTA_SIZE 16       /* a size limit is exceeded */
#define MTA_STRTRU 17     /* a string was truncated to fit */
#define MTA_STRTRUERR 18  /* a string is too long; nothing was done */
#define MTA_THREAD 19     /* the context is in use by another thread */
#define MTA_TIMEDOUT 20   /* timed out */

/* Dispositions of a recipient. */
#define MTA_DISP_DEFERRED 0        /* temporary failure: try again later */
#define MTA_DISP_DELIVERED 1       /* final delivery was made */
#define MTA_DISP_FAILED 2          /* permanent failure */
#define MTA_DISP_RELAYED 3         /* handed on to something that honours delivery notification requests */
#define MTA_DISP_RELAYED_FOREIGN 4 /* handed on to something that cannot honour them */
#define MTA_DISP_RETURN 5          /* to be returned to its sender */
#define MTA_DISP_TIMEDOUT 6        /* to be returned to its sender: too long in the queue */

/* Notification flags (RFC 3461 RET and NOTIFY). No DELAY, FAILURE or SUCCESS bit: NOTIFY=NEVER. */
#define MTA_NOTIFY_CONTENT_FULL 0x01
#define MTA_NOTIFY_CONTENT_HEADER 0x02
#define MTA_NOTIFY_CONTENT_NONE 0x04
#define MTA_NOTIFY_DELAY 0x08
#define MTA_NOTIFY_FAILURE 0x10
#define MTA_NOTIFY_SUCCESS 0x20
#define MTA_NOTIFY_DEFAULT (MTA_NOTIFY_DELAY | MTA_NOTIFY_FAILURE | MTA_NOTIFY_CONTENT_FULL)

/* What a decoder hands to its inspection routine. */
#define MTA_DATA_NONE 1
#define MTA_DATA_HEADER 2
#define MTA_DATA_TEXT 3
#define MTA_DATA_BINARY 4

/* Elements of an address. */
#define MTA_ADDR_PHRASE 1
#define MTA_ADDR_ROUTE 2
#define MTA_ADDR_LOCAL 4
#define MTA_ADDR_DOMAIN 8

/* Item codes. MTA_ABORT is also what process_message returns to end its thread. */
#define MTA_END_LIST 0
#define MTA_ABORT 21
#define MTA_ADR_NOSORT 22
#define MTA_ADR_NOSTATUS 23
#define MTA_ADR_SORT 24
#define MTA_ADR_STATUS 25
#define MTA_ALIAS_EXPAND 26
#define MTA_ALIAS_NOEXPAND 27
#define MTA_BCC 28
#define MTA_BLANK 29
#define MTA_CC 30
#define MTA_CFILENAME 31
#define MTA_CFILENAME_NONE 32
#define MTA_CHANNEL 15
#define MTA_CTYPE 33
#define MTA_DEBUG_DECODE 34
#define MTA_DEBUG_DEQUEUE 35
#define MTA_DEBUG_ENQUEUE 36
#define MTA_DEBUG_MM 37
#define MTA_DEBUG_NODECODE 38
#define MTA_DEBUG_NODEQUEUE 39
#define MTA_DEBUG_NOENQUEUE 40
#define MTA_DEBUG_NOMM 41
#define MTA_DEBUG_NOOS 42
#define MTA_DEBUG_NOSDK 43
#define MTA_DEBUG_OS 44
#define MTA_DEBUG_SDK 45
#define MTA_DECODE_CCHARSET 46
#define MTA_DECODE_CDISP 47
#define MTA_DECODE_CDISP_PARAMS 48
#define MTA_DECODE_CLANG 49
#define MTA_DECODE_CSUBTYPE 50
#define MTA_DECODE_CTYPE 51
#define MTA_DECODE_CTYPE_PARAMS 52
#define MTA_DECODE_DQ 53
#define MTA_DECODE_DTYPE 54
#define MTA_DECODE_LEVELS_MAX 55
#define MTA_DECODE_NQ 56
#define MTA_DECODE_PARTS_MAX 57
#define MTA_DECODE_PART_NUMBER 58
#define MTA_DECODE_PROC 59
#define MTA_DECODE_THURMAN 60
#define MTA_DELIVERY_FLAGS 61
#define MTA_DELIVERY_FLAGS_ABS 62
#define MTA_DISP 63
#define MTA_DOMAIN 64
#define MTA_DQ_CONTEXT 65
#define MTA_ENC_BASE64 66
#define MTA_ENC_BASE85 67
#define MTA_ENC_BINHEX 68
#define MTA_ENC_BTOA 69
#define MTA_ENC_COMPRESSED_BASE64 70
#define MTA_ENC_COMPRESSED_BINARY 71
#define MTA_ENC_COMPRESSED_UUENCODE 72
#define MTA_ENC_HEXADECIMAL 73
#define MTA_ENC_NONE 74
#define MTA_ENC_PATHWORKS 75
#define MTA_ENC_QUOTED_PRINTABLE 76
#define MTA_ENC_UNKNOWN 77
#define MTA_ENC_UUENCODE 78
#define MTA_ENV_FROM 79
#define MTA_ENV_ID 80
#define MTA_ENV_TO 81
#define MTA_EXPAND_LIMIT 82
#define MTA_FRAGMENT_BLOCKS 83
#define MTA_FRAGMENT_LINES 84
#define MTA_FROM 85
#define MTA_HDRMSG_FILE 86
#define MTA_HDRMSG_PROC 87
#define MTA_HDR_ADRS 91
#define MTA_HDR_BCC 92
#define MTA_HDR_CC 93
#define MTA_HDR_FILE 94
#define MTA_HDR_FROM 95
#define MTA_HDR_LINE 96
#define MTA_HDR_NOADRS 97
#define MTA_HDR_NORESENT 98
#define MTA_HDR_PROC 99
#define MTA_HDR_RESENT 100
#define MTA_HDR_TO 101
#define MTA_IGNORE_ERRORS 102
#define MTA_INTERACTIVE 103
#define MTA_IRCPT_TO 104
#define MTA_ITEM_LIST 105
#define MTA_JBC_MAX_ATTEMPTS 88
#define MTA_JBC_RETRY_INTERVAL 89
#define MTA_JBC_TIMEOUT 90
#define MTA_MAX_TO 106
#define MTA_MODE_BINARY 107
#define MTA_MODE_TEXT 108
#define MTA_MSG_FILE 109
#define MTA_MSG_ID 110
#define MTA_MSG_PROC 111
#define MTA_NOBLANK 116
#define MTA_NOIGNORE_ERRORS 117
#define MTA_NOTIFY_FLAGS 118
#define MTA_ORCPT_TO 119
#define MTA_PRIV_DISABLE_PROC 120
#define MTA_PRIV_ENABLE_PROC 121
#define MTA_REASON 122
#define MTA_SUBADDRESS 123
#define MTA_SUBJECT 124
#define MTA_TERM_CR 125
#define MTA_TERM_CRLF 126
#define MTA_TERM_LF 127
#define MTA_TERM_LFCR 128
#define MTA_TERM_NONE 129
#define MTA_THREAD_ID 130
#define MTA_THREAD_MAX_MESSAGES 112
#define MTA_THREAD_MAX_THREADS 113
#define MTA_THREAD_STACK_SIZE 114
#define MTA_THREAD_WAIT_TIMEOUT 115
#define MTA_TO 131
#define MTA_USER 132

/* Other spellings that the manual uses. */
#define MTA_DECODE_THRURMAN MTA_DECODE_THURMAN
#define MTA_ITEM_END MTA_END_LIST
#define MTA_MM_DEBUG MTA_DEBUG_MM
#define MTA_PART_NUMBER MTA_DECODE_PART_NUMBER

/* Contexts; see the routines that make them. */
typedef void mta_nq_t;
typedef void mta_dq_t;
typedef struct mta_decode_s mta_decode_t;
typedef struct mta_adr_s mta_adr_t;
typedef struct mta_opt_s mta_opt_t;

/* An entry of an item array, which ends with item_code 0. Callers set what the item needs and nothing more.
 */
typedef struct mta_item_list_s mta_item_list_t;
struct mta_item_list_s {
  int item_code;
  const void* item_address;  /* string or pointer argument */
  int item_length;           /* length of the string (0: NUL-terminated), or an integer argument itself */
  int item_status;           /* output (mtaSend) */
  const char* item_smessage; /* output (mtaSend) */
};

/* Callbacks. These are function types: declare with `static mta_dq_process_message_t process_message;`. */

/* Called for each message. *ctx2 is NULL in a thread's first call and is then the thread's own. env_from is
   NUL-terminated and may be empty. Returning without mtaDequeueMessageFinish() defers the message. Returning
   MTA_ABORT ends the thread. */
typedef int mta_dq_process_message_t(void** ctx2, void* ctx1, mta_dq_t* dq_ctx, const char* env_from,
                                     size_t env_from_len);
/* Called once when a thread ends, with the last *ctx2. */
typedef void mta_dq_process_done_t(void* ctx2, void* ctx1);
/* Input of mtaDecodeMessage(): the next block; length 0 is an empty one. MTA_EOF: there is no more. Any other
   status ends the decode. */
typedef int mta_decode_read_t(void* ctx, const char** line, size_t* line_len);
/* Output of mtaDecodeMessage(): a line, *line_len bytes at *line, without line end and NUL, at most
   BIGALFA_SIZE bytes. Any status but MTA_OK ends the decode. */
typedef int mta_decode_write_t(void* ctx, mta_decode_t* dctx, const char** line, size_t* line_len);
/* Called by mtaDecodeMessage() with what is in a part: MTA_DATA_HEADER, a line of its header; MTA_DATA_TEXT,
   a line of content; MTA_DATA_BINARY, a block of content; MTA_DATA_NONE, the part ends. At most BIGALFA_SIZE
   bytes, without line end and NUL. Any status but MTA_OK ends the decode. */
typedef int mta_decode_inspect_t(void* ctx, mta_decode_t* dctx, int data_type, const char* data,
                                 size_t data_len);

/* --- Initialisation
 * ------------------------------------------------------------------------------------------- */

/* Reads the configuration (JOBCTL_CONFIG or JOBCTL_ROOT name it). May be called again; it then does nothing.
   Items: MTA_CHANNEL (no argument; the default), MTA_INTERACTIVE, MTA_DEBUG_* as mtaDebug(), MTA_ITEM_LIST.
   Errors: MTA_BADARGS, MTA_FOPEN (no configuration to be read), MTA_NO (error in it), MTA_NOSUCHITEM. */
MTASDK_EXPORT int mtaInit(int item_code, ...);
/* Releases what mtaInit and the other routines hold. Enqueue contexts that are still open are dropped. */
MTASDK_EXPORT void mtaDone(void);

/* --- Enqueue
 * -------------------------------------------------------------------------------------------------- */

/* Begins a message. env_from NULL or "": empty sender. Items: MTA_ADR_NOSORT, MTA_ADR_SORT, MTA_ALIAS_EXPAND,
   MTA_ALIAS_NOEXPAND, MTA_CHANNEL str len, MTA_DELIVERY_FLAGS size_t, MTA_DQ_CONTEXT dq, MTA_ENV_ID str len,
   MTA_EXPAND_LIMIT size_t, MTA_FRAGMENT_BLOCKS size_t, MTA_FRAGMENT_LINES size_t, MTA_NOTIFY_FLAGS size_t.
   Errors: MTA_BADARGS, MTA_NO (no channel), MTA_NOMEM, MTA_NOSUCHCHAN, MTA_NOSUCHITEM, MTA_STRTRUERR,
   MTA_FOPEN. */
MTASDK_EXPORT int mtaEnqueueStart(mta_nq_t** nq_ctx, const char* env_from, size_t env_from_len, int item_code,
                                  ...);
/* Adds a recipient. Items: MTA_TO (default), MTA_CC, MTA_BCC, MTA_ENV_TO, MTA_HDR_TO, MTA_HDR_CC,
   MTA_HDR_BCC, MTA_DELIVERY_FLAGS size_t (added to the message's), MTA_DELIVERY_FLAGS_ABS size_t (instead of
   them), MTA_DQ_CONTEXT dq, MTA_NOTIFY_FLAGS size_t, MTA_ORCPT_TO str len, MTA_REASON const char **text
   size_t *len (output). With any of them but MTA_ENV_TO the message originates here: header lines are
   supplied. Errors: MTA_BADARGS, MTA_NO (refused; or not a recipient of the dequeued message),
   MTA_NOSUCHITEM, MTA_ORDER, MTA_STRTRUERR, MTA_THREAD. The message stays usable. */
MTASDK_EXPORT int mtaEnqueueTo(mta_nq_t* nq_ctx, const char* to_adr, size_t to_adr_len, int item_code, ...);
/* Writes bytes of header and body, lines ended by LF: pairs of string and length, ended by a NULL string.
   Errors: MTA_BADARGS, MTA_FCREATE, MTA_FIO, MTA_ORDER (no recipient yet), MTA_THREAD. */
MTASDK_EXPORT int mtaEnqueueWrite(mta_nq_t* nq_ctx, const char* str1, size_t len1, const char* str2, ...);
/* Writes the pairs as one line and ends it. Errors: as above. */
MTASDK_EXPORT int mtaEnqueueWriteLine(mta_nq_t* nq_ctx, const char* str1, size_t len1, const char* str2, ...);
/* Copies the dequeued message from its read point (rewind 1: from its start) to its end. Errors: as above;
   MTA_ORDER also when the recipients of dq_ctx have not been read to the end. */
MTASDK_EXPORT int mtaEnqueueCopyMessage(mta_nq_t* nq_ctx, mta_dq_t* dq_ctx, int rewind);
/* Items (outputs): MTA_ADR_SORT, MTA_ALIAS_EXPAND, MTA_DELIVERY_FLAGS, MTA_EXPAND_LIMIT, MTA_FRAGMENT_BLOCKS,
   MTA_FRAGMENT_LINES, MTA_NOTIFY_FLAGS size_t *; MTA_CHANNEL, MTA_ENV_FROM, MTA_ENV_ID const char ** size_t
   *. Errors: MTA_BADARGS, MTA_NOSUCHITEM, MTA_THREAD. */
MTASDK_EXPORT int mtaEnqueueInfo(mta_nq_t* nq_ctx, int item_code, ...);
/* Why the last mtaEnqueueTo failed. item_code is 0. Errors: NULL with MTA_BADARGS or MTA_THREAD. */
MTASDK_EXPORT const char* mtaEnqueueError(mta_nq_t* nq_ctx, const char** message, size_t* message_len,
                                          int item_code);
/* Commits the message; on MTA_OK it is on the disk. The context is gone whatever the result. Items: MTA_ABORT
   (drop it), MTA_REASON const char **text size_t *len (output; valid until the thread's next SDK call).
   Errors: MTA_BADARGS, MTA_FCREATE (also: no space), MTA_FIO, MTA_NO, MTA_NOSUCHITEM, MTA_ORDER,
   MTA_THREAD. */
MTASDK_EXPORT int mtaEnqueueFinish(mta_nq_t* nq_ctx, int item_code, ...);

/* --- Dequeue
 * -------------------------------------------------------------------------------------------------- */

/* Processes the channel's messages and returns when there has been nothing to do for MTA_JBC_MAX_ATTEMPTS *
   MTA_JBC_RETRY_INTERVAL seconds. process_done may be NULL. Items: MTA_CHANNEL str len, MTA_JBC_MAX_ATTEMPTS
   size_t (5), MTA_JBC_RETRY_INTERVAL size_t seconds (10), MTA_JBC_TIMEOUT size_t seconds (30),
   MTA_THREAD_MAX_MESSAGES size_t (20), MTA_THREAD_MAX_THREADS size_t (20), MTA_THREAD_STACK_SIZE size_t bytes
   (1 MiB), MTA_THREAD_WAIT_TIMEOUT size_t seconds (1800). Errors: MTA_BADARGS, MTA_FOPEN, MTA_NETWORK (no job
   controller), MTA_NO (no channel's name), MTA_NOMEM, MTA_NOSUCHCHAN, MTA_NOSUCHITEM, MTA_STRTRUERR,
   MTA_TIMEDOUT (threads still ran after the wait). */
MTASDK_EXPORT int mtaDequeueStart(void* ctx1, mta_dq_process_message_t* process_message,
                                  mta_dq_process_done_t* process_done, int item_code, ...);
/* The next recipient, not NUL-terminated; then MTA_EOF. Items: those of mtaDequeueInfo, for this recipient.
   Errors: MTA_BADARGS, MTA_EOF, MTA_NOSUCHITEM (it is then returned by the next call), MTA_ORDER (finished
   already), MTA_THREAD. */
MTASDK_EXPORT int mtaDequeueRecipientNext(mta_dq_t* dq_ctx, const char** env_to, size_t* env_to_len,
                                          int item_code, ...);
/* Items (outputs): MTA_CHANNEL, MTA_DOMAIN, MTA_ENV_ID, MTA_IRCPT_TO, MTA_MSG_ID, MTA_ORCPT_TO const char **
   size_t *; MTA_DELIVERY_FLAGS, MTA_NOTIFY_FLAGS size_t * (of the message, or of the latest recipient);
   MTA_THREAD_ID int *. Errors: MTA_BADARGS, MTA_NO (about a recipient, before the first), MTA_NOSUCHITEM,
   MTA_THREAD. */
MTASDK_EXPORT int mtaDequeueInfo(mta_dq_t* dq_ctx, int item_code, ...);
/* The next line of header and body, without terminator and NUL, valid until the next call; then MTA_EOF.
   Errors: MTA_BADARGS, MTA_EOF, MTA_FIO, MTA_ORDER (recipients not read to MTA_EOF), MTA_THREAD. */
MTASDK_EXPORT int mtaDequeueLineNext(mta_dq_t* dq_ctx, const char** line, size_t* len);
/* Back to the first line. Errors: MTA_BADARGS, MTA_ORDER, MTA_THREAD. */
MTASDK_EXPORT int mtaDequeueRewind(mta_dq_t* dq_ctx);
/* What became of one recipient, named exactly as it was returned. Takes effect in mtaDequeueMessageFinish.
   Items: MTA_REASON str len. Errors: MTA_BADARGS, MTA_NO (no such recipient), MTA_NOSUCHITEM, MTA_THREAD. */
MTASDK_EXPORT int mtaDequeueRecipientDisposition(mta_dq_t* dq_ctx, const char* env_to, size_t env_to_len,
                                                 size_t disposition, int item_code, ...);
/* Ends the processing of the message; the context is invalid afterwards whatever the result, and after an
   error the message is deferred for all recipients. Items: MTA_ABORT (defer for all), MTA_DISP size_t (for
   all), MTA_REASON str len. Errors: MTA_BADARGS, MTA_NO, MTA_NOSUCHITEM, MTA_ORDER (recipients not read to
   MTA_EOF; finished already), MTA_THREAD. */
MTASDK_EXPORT int mtaDequeueMessageFinish(mta_dq_t* dq_ctx, int item_code, ...);
/* A small number of the processing thread, for log lines; -1 and mta_errno MTA_BADARGS or MTA_THREAD. */
MTASDK_EXPORT int mtaDequeueThreadId(mta_dq_t* dq_ctx);
/* The defaults of mtaDequeueStart: stack size in bytes, messages per thread, most threads, job controller
   timeout, wait for threads, attempts, and interval, in seconds. Any pointer may be NULL. */
MTASDK_EXPORT void mtaDequeueDefaults(size_t* stack_size, size_t* messages_per_thread, size_t* threads_max,
                                      size_t* jbc_timeout, size_t* die_by_delay, size_t* max_patience,
                                      size_t* sleep_interval);

/* An extension, which the original does not have: the channel's target is overloaded. The job controller runs
   fewer programs and threads for the channel until that has not been said for a while. To be called whenever
   it is noticed, from any thread. `why` is for operators; it may be NULL. Errors: MTA_NETWORK (no job
   controller at present), MTA_ORDER (no mtaDequeueStart() is under way). */
MTASDK_EXPORT int mtaReportStress(const char* why, size_t why_len);

/* --- Decoding
 * ------------------------------------------------------------------------------------------------- */

/* Reads a message once and presents its parts to `inspect`, decoded; with an output also writes it there,
   with parts copied, deleted or replaced. input_type, input: MTA_DECODE_DQ and a dequeue context, whose
   recipients have been read to MTA_EOF, from its read point to the end; or MTA_DECODE_PROC and a
   mta_decode_read_t *. output_type, output: 0 (none), MTA_DECODE_NQ and an enqueue context that has its
   recipients, or MTA_DECODE_PROC and a mta_decode_write_t *. Items: MTA_DECODE_LEVELS_MAX size_t (deeper
   multiparts and messages are text), MTA_DECODE_PARTS_MAX size_t (what follows is not looked into),
   MTA_DECODE_THURMAN (make MIME of uuencode, BinHex and RFC 1154 first), MTA_TERM_NONE (each block of the
   input routine is a line; the default), MTA_TERM_CR, MTA_TERM_CRLF, MTA_TERM_LF, MTA_TERM_LFCR. Errors: what
   a callback returned; MTA_BADARGS, MTA_FCREATE and MTA_FIO (writing to the enqueue context), MTA_FOPEN (no
   temporary file can be made), MTA_NO (the message in hand cannot be read), MTA_NOMEM, MTA_NOSUCHITEM,
   MTA_ORDER (recipients; or nothing to read without mtaDequeueRewind()), MTA_THREAD. */
MTASDK_EXPORT int mtaDecodeMessage(void* ctx, int input_type, void* input, int output_type, void* output,
                                   mta_decode_inspect_t* inspect, int item_code, ...);
/* About the present part, during a callback. MTA_DECODE_DTYPE (MTA_DATA_...), MTA_DECODE_PART_NUMBER (from
   0). Errors: -1 with MTA_BADARGS, MTA_NOSUCHITEM or MTA_THREAD. */
MTASDK_EXPORT int mtaDecodeMessageInfoInt(mta_decode_t* dctx, int item);
/* MTA_DECODE_CTYPE_PARAMS or MTA_DECODE_CDISP_PARAMS: an option context with the parameters, for
   mtaOptionString() and its like, until the part ends; not to be finished. Errors: NULL with MTA_BADARGS,
   MTA_NOSUCHITEM or MTA_THREAD. */
MTASDK_EXPORT mta_opt_t* mtaDecodeMessageInfoParams(mta_decode_t* dctx, int item, mta_opt_t** params);
/* MTA_DECODE_CCHARSET (us-ascii if none is given), MTA_DECODE_CDISP (empty), MTA_DECODE_CSUBTYPE (plain),
   MTA_DECODE_CTYPE (text); all but the charset in lower case; until the part ends. Errors: NULL with
   MTA_BADARGS, MTA_NOSUCHITEM or MTA_THREAD. */
MTASDK_EXPORT const char* mtaDecodeMessageInfoString(mta_decode_t* dctx, int item, const char** str,
                                                     size_t* len);
/* The present part goes to the output as it is; it is not presented any further. So are parts about which
   nothing is said. item_code is 0. Errors: MTA_BADARGS, MTA_NO (no output; from the output routine; decided
   already), MTA_THREAD. */
MTASDK_EXPORT int mtaDecodeMessagePartCopy(mta_decode_t* dctx, int item_code, ...);
/* The present part does not go to the output, and is not presented any further. With items a text takes its
   place: MTA_REASON str len (the text), MTA_DECODE_CTYPE, MTA_DECODE_CSUBTYPE, MTA_DECODE_CCHARSET,
   MTA_DECODE_CDISP (may have parameters; inline), MTA_DECODE_CLANG str len. Errors: MTA_BADARGS (also: a line
   end in a string but the text), MTA_NO (as above), MTA_NOSUCHITEM, MTA_STRTRUERR (a string but the text over
   BIGALFA_SIZE), MTA_THREAD. */
MTASDK_EXPORT int mtaDecodeMessagePartDelete(mta_decode_t* dctx, int item_code, ...);

/* --- Callable Send
 * -------------------------------------------------------------------------------------------- */

/* Composes a message from an array of items, ended by item_code 0, and submits it. Addresses: MTA_TO, MTA_CC,
   MTA_BCC, MTA_ENV_TO, MTA_HDR_TO, MTA_HDR_CC, MTA_HDR_BCC str. Sender: MTA_USER str (local part),
   MTA_SUBADDRESS str, or MTA_ENV_FROM str (whole address); else the process's user. Header: MTA_FROM,
   MTA_SUBJECT, MTA_CTYPE, MTA_HDR_LINE str; MTA_HDR_FILE, MTA_HDRMSG_FILE str or MTA_HDR_PROC,
   MTA_HDRMSG_PROC procedure (the initial header, before any body); MTA_HDR_ADRS, MTA_HDR_NOADRS,
   MTA_HDR_RESENT, MTA_HDR_NORESENT. Body: MTA_MSG_FILE str, MTA_MSG_PROC procedure; for those that follow:
   MTA_ENC_*, MTA_MODE_TEXT, MTA_MODE_BINARY, MTA_BLANK, MTA_NOBLANK, MTA_CFILENAME str, MTA_CFILENAME_NONE.
   Others: MTA_ADR_STATUS, MTA_ADR_NOSTATUS, MTA_CHANNEL str, MTA_FRAGMENT_BLOCKS, MTA_FRAGMENT_LINES,
   MTA_MAX_TO int, MTA_IGNORE_ERRORS, MTA_NOIGNORE_ERRORS, MTA_INTERACTIVE, MTA_ITEM_LIST (continues there),
   MTA_PRIV_ENABLE_PROC, MTA_PRIV_DISABLE_PROC void (*)(void). An input procedure is
   ssize_t (*)(const char **line): the length of a line without terminator; -1: no more; less: an error.
   Errors: MTA_ACCESS (another user's name without privilege), MTA_AGAIN (trouble with the aliases, a full
   channel), MTA_BADARGS, MTA_FCREATE, MTA_FIO, MTA_FOPEN (a source, or the configuration), MTA_NO (an
   address, an input procedure), MTA_NOMEM, MTA_NOSUCHCHAN, MTA_NOSUCHITEM, MTA_ORDER (a header source behind
   a body source; no recipient), MTA_SIZE (initial header), MTA_STRTRUERR. */
MTASDK_EXPORT int mtaSend(mta_item_list_t* item_list);
/* Frees the texts that mtaSend() left in item_smessage (MTA_ADR_STATUS). */
MTASDK_EXPORT void mtaSendDispose(mta_item_list_t* item_list);

/* --- Addresses
 * ------------------------------------------------------------------------------------------------ */

/* Reads a comma-separated list of RFC 822 addresses. Both outputs NULL: a syntax check. No address in it:
   NULL and 0. Items: MTA_DOMAIN str len (appended to addresses without a domain). Errors: MTA_BADARGS, MTA_NO
   (syntax), MTA_NOMEM, MTA_NOSUCHITEM, MTA_STRTRUERR. */
MTASDK_EXPORT int mtaAddressParse(mta_adr_t** adr_ctx, size_t* address_count, const char* address_list,
                                  size_t address_list_len, int item_code, ...);
/* Address number address_index, from 0, or elements of it: an OR of MTA_ADDR_*; 0: route, local part and
   domain. phrase <@route:local@domain>. The text is valid until the next call with the context. Errors:
   MTA_BADARGS, MTA_EOF, MTA_THREAD. */
MTASDK_EXPORT int mtaAddressGetN(mta_adr_t* adr_ctx, size_t address_index, const char** address,
                                 size_t* address_len, int elements);
/* Ends the context; NULL does nothing. */
MTASDK_EXPORT void mtaAddressFinish(mta_adr_t* adr_ctx);
/* The elements of one address, each into a buffer of ALFA_SIZE+1 or NULL, NULL, 0. Errors: MTA_BADARGS,
   MTA_NO (syntax, or not exactly one address), MTA_STRTRUERR (a buffer is too small; the others are filled).
 */
MTASDK_EXPORT int mtaAddressParts(const char* adr, size_t len, char* phrase, size_t* plen, size_t plenmax,
                                  char* route, size_t* rlen, size_t rlenmax, char* local, size_t* llen,
                                  size_t llenmax, char* domain, size_t* dlen, size_t dlenmax);
/* The channel that takes mail for an address, into a buffer of CHANLENGTH+1. address_type: 0, MTA_TO, MTA_CC,
   MTA_BCC, MTA_ENV_TO, MTA_ENV_FROM, MTA_HDR_TO, MTA_HDR_CC, MTA_HDR_BCC or MTA_HDR_FROM; routes do not
   depend on it. item_code is 0. NULL: MTA_BADARGS, MTA_FOPEN, MTA_NO (syntax, or no route), MTA_NOSUCHITEM,
   MTA_STRTRUERR. */
MTASDK_EXPORT const char* mtaAddressToChannel(char* channel, size_t* channel_len, size_t channel_len_max,
                                              const char* address, size_t address_len, int address_type,
                                              int item_code, ...);

/* --- Option files: lines of NAME=value
 * ------------------------------------------------------------------------ */

/* Reads an option file; path NULL: the one named by PMDF_CHANNEL_OPTION or, without that, the options of
   PMDF_CHANNEL in the configuration. A file that does not exist gives MTA_OK and a NULL context, which the
   queries accept. Errors: MTA_BADARGS, MTA_FOPEN, MTA_NO (read or syntax error), MTA_NOMEM, MTA_STRTRUERR. */
MTASDK_EXPORT int mtaOptionStart(mta_opt_t** opt_ctx, const char* path, size_t len, int item_code);
/* These leave the caller's variable as it is when the option is not there (or is not a number).
   Errors: MTA_BADARGS, MTA_STRTRUERR (name too long); mtaOptionString also MTA_STRTRU (value truncated). */
MTASDK_EXPORT int mtaOptionInt(mta_opt_t* opt_ctx, const char* name, size_t len, int* val);
MTASDK_EXPORT int mtaOptionFloat(mta_opt_t* opt_ctx, const char* name, size_t len, double* val);
MTASDK_EXPORT int mtaOptionString(mta_opt_t* opt_ctx, const char* name, size_t len, char* str,
                                  size_t* str_len, size_t str_len_max);
MTASDK_EXPORT void mtaOptionFinish(mta_opt_t* opt_ctx);

/* --- Errors and diagnostics
 * ----------------------------------------------------------------------------------- */

/* The calling thread's last error. */
MTASDK_EXPORT int mtaErrno(void);
#define mta_errno mtaErrno()
/* The code in words, for diagnostics; static. item_code is 0. */
MTASDK_EXPORT const char* mtaStrError(int code, int item_code);
/* Switches diagnostics in the log on and off. Items: MTA_DEBUG_DECODE, MTA_DEBUG_DEQUEUE (messages in hand),
   MTA_DEBUG_ENQUEUE (recipients), MTA_DEBUG_MM size_t level (0: off), MTA_DEBUG_OS, MTA_DEBUG_SDK (error
   statuses that routines return), and MTA_DEBUG_NO... for each. Errors: MTA_BADARGS, MTA_FOPEN, MTA_NO,
   MTA_NOSUCHITEM. */
MTASDK_EXPORT int mtaDebug(int item_code, ...);
/* Writes one line, "hh:mm:ss.cc: " and the text, to standard output in one write. No '\n' in the format. */
MTASDK_EXPORT void mtaLog(const char* fmt, ...) MTASDK_PRINTF(1, 2);
MTASDK_EXPORT void mtaLogv(const char* fmt, va_list ap) MTASDK_PRINTF(1, 0);

/* Closes the accounting log (mail.log_current, mail.log.json) if this process has it open; it is opened again
   when there is something to record. It is not the file that mtaLog() writes to. */
MTASDK_EXPORT void mtaAccountingLogClose(void);
#define mtaAccountingClose mtaAccountingLogClose /* a misprint of the manual */

/* --- Miscellaneous
 * -------------------------------------------------------------------------------------------- */

/* Bytes in a block (MTA_FRAGMENT_BLOCKS). */
MTASDK_EXPORT size_t mtaBlockSize(void);
/* The smallest stack of a thread that calls the SDK, bytes. */
MTASDK_EXPORT size_t mtaStackSize(void);
/* The program's channel, into a buffer of CHANLENGTH+1. NULL: MTA_BADARGS, MTA_NO (PMDF_CHANNEL is not set),
 * MTA_STRTRUERR. */
MTASDK_EXPORT const char* mtaChannelGetName(char* channel, size_t* channel_len, size_t channel_len_max);
/* The official host name of a channel; the text is valid until mtaDone(). Items: MTA_CHANNEL str len, or
   MTA_DQ_CONTEXT dq (its channel); neither: the program's own. NULL: MTA_BADARGS, MTA_FOPEN, MTA_NO (own
   channel unknown), MTA_NOSUCHCHAN, MTA_NOSUCHITEM, MTA_THREAD. */
MTASDK_EXPORT const char* mtaChannelToHost(char** host, size_t* host_len, int item_code, ...);
/* The postmaster's address, for From: of notifications; valid until mtaDone(). item_code is 0. NULL:
   MTA_FOPEN, MTA_NO, MTA_NOSUCHITEM. */
MTASDK_EXPORT const char* mtaPostmasterAddress(const char** address, size_t* len, int item_code, ...);
/* RFC 2822 date of `time` (0: now) in the local zone; 81 bytes are plenty. NULL: MTA_BADARGS, MTA_STRTRU
 * (truncated). */
MTASDK_EXPORT const char* mtaDateTime(char* date, size_t* date_len, size_t date_len_max, time_t time);
/* A string unique on this system, fit for a file name or a MIME boundary, in at least 20 bytes.
   NULL: MTA_BADARGS, MTA_STRTRUERR. */
MTASDK_EXPORT const char* mtaUniqueString(char* buf, size_t* len, size_t max_len);
MTASDK_EXPORT int mtaVersionMajor(void);
MTASDK_EXPORT int mtaVersionMinor(void);
MTASDK_EXPORT int mtaVersionRevision(void);

/* --- Growable item lists
 * -------------------------------------------------------------------------------------- */

/* Append an item (items NULL: begin a list) and return the list, which may have moved; NULL: out of memory,
   and the list has been freed. Strings are not copied. An integer goes to item_length. */
MTASDK_EXPORT mta_item_list_t* mtaItemListInt(mta_item_list_t* items, int item_code, size_t value);
MTASDK_EXPORT mta_item_list_t* mtaItemListStr(mta_item_list_t* items, int item_code, const char* str,
                                              size_t len);
MTASDK_EXPORT mta_item_list_t* mtaItemListCopy(const mta_item_list_t* items);
MTASDK_EXPORT void mtaItemListDispose(mta_item_list_t* items);

#ifdef __cplusplus
}
#endif

#endif /* MTASDK_H */
