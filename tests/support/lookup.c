/* Looks names up as programs do, with getaddrinfo(): one line for each name, with its addresses in order, or "-".
   Built against a C library whose resolver is to be tried. */

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    struct addrinfo hints;
    struct addrinfo* list = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    int failure = getaddrinfo(argv[i], NULL, &hints, &list);
    printf("%s", argv[i]);
    if (failure != 0) {
      printf(" -");
    }
    for (const struct addrinfo* at = list; at != NULL; at = at->ai_next) {
      char text[INET6_ADDRSTRLEN] = "?";
      const void* address = at->ai_family == AF_INET
                                ? (const void*)&((const struct sockaddr_in*)at->ai_addr)->sin_addr
                                : (const void*)&((const struct sockaddr_in6*)at->ai_addr)->sin6_addr;
      inet_ntop(at->ai_family, address, text, sizeof text);
      printf(" %s", text);
    }
    printf("\n");
    if (list != NULL) {
      freeaddrinfo(list);
    }
  }
  return 0;
}
