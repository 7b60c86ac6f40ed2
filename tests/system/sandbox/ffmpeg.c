// A program that is used as FFmpeg and does what the upload asks for: ".snd", a word, a path. It prints "did" or
// "refused: ERRNO" as the last line of standard error, and fails.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void write_all(const void *bytes, size_t count) {
    for (const char *next = bytes; count > 0;) {
        ssize_t written = write(1, next, count);
        if (written < 0) _exit(1);
        next += written, count -= written;
    }
}

// A WAV file of stereo floats at 44.1 kHz, of unknown length, with so many frames.
static void wav(long frames) {
    static const unsigned char head[] = "RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x03\0\x02\0\x44\xac\0\0\x20\x62\x05\0\x08\0\x20\0data\xff\xff\xff\xff";
    static char second[44100 * 8];
    write_all(head, sizeof head - 1);
    for (; frames > 0; frames -= 44100) write_all(second, sizeof second);
}

static void *nothing(void *unused) { return unused; }

static long thread(void) {
    pthread_t started;
    errno = pthread_create(&started, NULL, nothing, NULL);
    return errno ? -1 : pthread_join(started, NULL);
}

/* Not written to, which takes as long as the limit of time on a busy machine. */
static long hog(void) {
    for (char *memory; (memory = malloc(1 << 24)); *memory = 1) {}
    return -1;
}

static long act(const char *what, const char *path) {
    char *const arguments[] = {(char *)path, NULL};
    struct sockaddr_in address = {AF_INET, htons(atoi(path)), {htonl(INADDR_LOOPBACK)}};
    if (!strcmp(what, "read")) return open(path, O_RDONLY);
    if (!strcmp(what, "write")) return open(path, O_WRONLY);
    if (!strcmp(what, "create")) return open(path, O_WRONLY | O_CREAT, 0600);
    if (!strcmp(what, "change-upload")) return write(0, "x", 1);
    if (!strcmp(what, "unlink")) return unlink(path);
    if (!strcmp(what, "mkdir")) return mkdir(path, 0700);
    if (!strcmp(what, "list")) return open(path, O_RDONLY | O_DIRECTORY);
    if (!strcmp(what, "run")) return execv(path, arguments);
    if (!strcmp(what, "fork")) return fork();
    if (!strcmp(what, "system")) return system("true") == 0 ? 0 : -1;
    if (!strcmp(what, "thread")) return thread();
    if (!strcmp(what, "variables")) return environ[0] == NULL ? 0 : -1;
    if (!strcmp(what, "executable-memory"))
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
    if (!strcmp(what, "connect")) return connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address);
    if (!strcmp(what, "hang")) return pause(), sleep(600);
    if (!strcmp(what, "spin")) for (;;) {}
    if (!strcmp(what, "hog")) return hog();
    if (!strcmp(what, "flood")) wav(1L << 40);
    if (!strcmp(what, "stop")) return wav(44100), _exit(3), 0;
    if (!strcmp(what, "crash")) abort();
    return wav(44100), _exit(0), 0;
}

int main(int count, char **arguments) {
    char upload[4096] = "", what[32] = "", path[2048] = "";
    (void)arguments;
    fprintf(stderr, "ffmpeg version 9.9.9 Copyright\n");
    if (count == 2) return 1;
    if (read(0, upload, sizeof upload - 1) < 4) return 1;
    sscanf(upload + 4, "%31s %2047s", what, path);
    errno = 0;
    if (act(what, path) < 0)
        fprintf(stderr, "refused: %d\n", errno);
    else
        fprintf(stderr, "did\n");
    return 1;
}
