/* A program outside the tree, against the installed C header. */
#include <mtasdk.h>

#include <stdio.h>

int main(void) {
  const char* text = mtaStrError(MTA_NO, 0);
  puts(text);
  return text[0] == '\0';
}
