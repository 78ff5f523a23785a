/* send_procedure.c: the body from a routine that gives it line by line: the fourth sample. */
#include <mtasdk.h>

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

static ssize_t next_line(const char** line) {
  static char buffer[1024];
  size_t length;

  if (fgets(buffer, (int)sizeof buffer, stdin) == NULL) return ferror(stdin) ? -2 : -1;
  length = strlen(buffer);
  if (length > 0 && buffer[length - 1] == '\n') length--;
  *line = buffer;
  return (ssize_t)length;
}

#ifdef __cplusplus
}
#endif

/* Standard C has no conversion from a function's address to void *; every system with this interface does. */
static const void* address_of(ssize_t (*procedure)(const char**)) {
  const void* address;
  memcpy(&address, &procedure, sizeof address);
  return address;
}

int main(int argc, char** argv) {
  mta_item_list_t items[5];
  int status;

  if (argc != 2) return 64;
  memset(items, 0, sizeof items);
  items[0].item_code = MTA_TO;
  items[0].item_address = argv[1];
  items[1].item_code = MTA_SUBJECT;
  items[1].item_address = "From standard input";
  items[2].item_code = MTA_ENC_QUOTED_PRINTABLE;
  items[3].item_code = MTA_MSG_PROC;
  items[3].item_address = address_of(next_line);
  items[4].item_code = MTA_END_LIST;
  status = mtaSend(items);
  if (status != MTA_OK) fprintf(stderr, "send_procedure: %s\n", mtaStrError(status, 0));
  mtaDone();
  return status;
}
