/* What this machine allows any receiver: byte strings from sockets, each into a file of its own. Knows no DICOM.

   raw_receiver FOLDER durable|plain

   Prints its port, and serves each connection in a process of its own until it is killed. A message is its length in
   8 bytes, little endian, and so many bytes; the answer is one byte, with `durable` after fsync of file and folder. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 20];

static int receive(int peer, char *into, size_t wanted) {
    for (size_t got = 0; got < wanted;) {
        ssize_t count = recv(peer, into + got, wanted - got, 0);
        if (count <= 0) return 0;
        got += (size_t)count;
    }
    return 1;
}

static int keep(int peer, uint64_t length, int folder, long number, int durable) {
    char name[64];
    snprintf(name, sizeof name, "%d-%ld", (int)getpid(), number);
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0) return 0;
    while (length) {
        size_t wanted = length < sizeof buffer ? (size_t)length : sizeof buffer;
        if (!receive(peer, buffer, wanted)) return 0;
        for (size_t at = 0; at < wanted;) {
            ssize_t count = write(file, buffer + at, wanted - at);
            if (count <= 0) return 0;
            at += (size_t)count;
        }
        length -= wanted;
    }
    if (durable && (fsync(file) || fsync(folder))) return 0;
    return !close(file);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int durable = !strcmp(arguments[2], "durable"), one = 1;
    int folder = open(arguments[1], O_RDONLY | O_DIRECTORY), listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (folder < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 128)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0) return 1;
        if (!fork()) {
            uint64_t length;
            setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            for (long number = 0; receive(peer, (char *)&length, sizeof length); number++)
                if (!keep(peer, length, folder, number, durable) || send(peer, "k", 1, 0) != 1) return 1;
            return 0;
        }
        close(peer);
    }
}
