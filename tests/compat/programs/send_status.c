/* send_status.c: several recipients, each with its status: the third sample. */
#include <mtasdk.h>

#include <stdio.h>

#define MOST 20

int main(int argc, char** argv) {
  mta_item_list_t items[MOST + 5]; /* what an item does not need stays as it is */
  int i, n = 0, status;

  if (argc < 3 || argc > MOST + 2) return 64; /* BODY TO... */
  items[n++].item_code = MTA_ADR_STATUS;
  items[n++].item_code = MTA_IGNORE_ERRORS;
  items[n].item_code = MTA_MSG_FILE;
  items[n].item_length = 0;
  items[n++].item_address = argv[1];
  for (i = 2; i < argc; i++) {
    items[n].item_code = i == 2 ? MTA_TO : MTA_CC;
    items[n].item_length = 0;
    items[n++].item_address = argv[i];
  }
  items[n].item_code = MTA_END_LIST;
  status = mtaSend(items);
  for (i = 3; i < n; i++)
    printf("%d %s: %s\n", items[i].item_status, (const char*)items[i].item_address, items[i].item_smessage);
  mtaSendDispose(items);
  if (status != MTA_OK) fprintf(stderr, "send_status: %s\n", mtaStrError(status, 0));
  mtaDone();
  return status;
}
