/* send_header.c: the initial header from a file, the body from another, encoded: the second sample. */
#include <mtasdk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lists that grow: strings are not copied. */
int main(int argc, char** argv) {
  mta_item_list_t* items = NULL;
  int status;

  if (argc != 6) return 64; /* TO HEADER BODY ENCODING MODE */
  items = mtaItemListStr(items, MTA_TO, argv[1], strlen(argv[1]));
  if (items != NULL) items = mtaItemListStr(items, MTA_HDR_FILE, argv[2], 0);
  if (items != NULL) items = mtaItemListInt(items, MTA_BLANK, 0);
  if (items != NULL) items = mtaItemListStr(items, MTA_CFILENAME, "data.bin", 0);
  if (items != NULL) items = mtaItemListInt(items, atoi(argv[4]), 0);
  if (items != NULL) items = mtaItemListInt(items, atoi(argv[5]), 0);
  if (items != NULL) items = mtaItemListStr(items, MTA_MSG_FILE, argv[3], 0);
  if (items == NULL) return MTA_NOMEM;
  status = mtaSend(items);
  mtaItemListDispose(items);
  if (status != MTA_OK) fprintf(stderr, "send_header: %s\n", mtaStrError(status, 0));
  mtaDone();
  return status;
}
