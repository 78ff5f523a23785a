/* send_simple.c: a message with a subject, its body from a file: the first sample of Callable Send. */
#include <mtasdk.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  mta_item_list_t items[4];
  int status;

  if (argc != 3) return 64;
  memset(items, 0, sizeof items);
  items[0].item_code = MTA_TO;
  items[0].item_address = argv[1];
  items[1].item_code = MTA_SUBJECT;
  items[1].item_address = "Sample message";
  items[2].item_code = MTA_MSG_FILE;
  items[2].item_address = argv[2];
  items[3].item_code = MTA_ITEM_END;
  status = mtaSend(items);
  if (status != MTA_OK) fprintf(stderr, "send_simple: %s\n", mtaStrError(status, 0));
  mtaDone();
  return status;
}
