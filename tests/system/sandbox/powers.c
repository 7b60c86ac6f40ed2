// What code in a decoder could do besides decoding, one power a run. Loaded into a decoder by LD_PRELOAD, it acts at the
// decoder's first `lseek`, which is its first use of the upload; compiled with -DALONE it is a program that acts at once.
//
// POWER names what to do, FOLDER a folder with a file named `file`, PORT a port of this machine, VICTIM a process.
// Writes "did" or "refused: ERRNO" to standard error and ends; the powers at the end of the list continue decoding.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char path_of[4096];
static const char *path(const char *name) {
    snprintf(path_of, sizeof path_of, "%s/%s", getenv("FOLDER"), name);
    return path_of;
}
static int victim(void) { return atoi(getenv("VICTIM")); }
static int open_path(const char *name, int flags) { return open(name, flags, 0600); }

// Files.
static long read_file(void) { return open_path(path("file"), O_RDONLY); }
static long write_file(void) { return open_path(path("file"), O_WRONLY); }
static long create_file(void) { return open_path(path("new"), O_WRONLY | O_CREAT); }
static long create_nameless(void) { return open_path(getenv("FOLDER"), O_WRONLY | O_TMPFILE); }
static long open_path_only(void) { return open_path(path("file"), O_PATH); }
static long open_directory(void) { return open_path(getenv("FOLDER"), O_RDONLY | O_DIRECTORY); }
static long openat2_file(void) {
    unsigned long long how[3] = {O_RDONLY, 0, 0};
    return syscall(SYS_openat2, AT_FDCWD, path("file"), how, sizeof how);
}
static long truncate_file(void) { return truncate(path("file"), 0); }
static long truncate_upload(void) { return ftruncate(0, 0); }
static long write_upload(void) { return write(0, "x", 1); }
static long delete_file(void) { return unlink(path("file")); }
static long rename_file(void) {
    char from[4096];
    strcpy(from, path("file"));
    return rename(from, path("other"));
}
static long make_directory(void) { return mkdir(path("sub"), 0700); }
static long make_link(void) { return symlink("/etc", path("link")); }
static long make_pipe(void) { return mknod(path("pipe"), S_IFIFO | 0600, 0); }
static long see_size(void) {
    struct stat it;
    return stat(path("file"), &it);
}
static long change_mode(void) { return chmod(path("file"), 0777); }
static long change_folder(void) { return chdir("/tmp"); }
static long read_environment(void) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/environ", victim());
    return open_path(name, O_RDONLY);
}
static long write_memory(void) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/mem", victim());
    return open_path(name, O_RDWR);
}
static long reopen_upload(void) { return open_path("/proc/self/fd/0", O_RDWR); }
static long watch_files(void) { return syscall(SYS_inotify_init1, 0); }

// The network.
static long connect_to(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT"))), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int made = socket(AF_INET, SOCK_STREAM, 0);
    return made < 0 ? -1 : connect(made, (struct sockaddr *)&to, sizeof to);
}
static long udp(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static long unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long pass_descriptors(void) {
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)CMSG_DATA(head) = 0;
    return sendmsg(1, &message, 0);
}

// Processes.
static long fork_it(void) {
    long made = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (made == 0) _exit(0);
    return made;
}
static long execute(void) {
    char *const words[] = {"true", 0};
    return execve("/bin/true", words, words + 1);
}
static long spawn(void) {
    char *const words[] = {"true", 0};
    pid_t made;
    errno = posix_spawn(&made, "/bin/true", 0, 0, words, words + 1);
    return errno ? -1 : 0;
}
static void *nothing(void *it) { return it; }
static long start_thread(void) {
    pthread_t made;
    errno = pthread_create(&made, 0, nothing, 0);
    return errno ? -1 : 0;
}
static long trace(void) { return ptrace(PTRACE_SEIZE, victim(), 0, 0); }
static long read_its_memory(void) {
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)0x1000, 1};
    return process_vm_readv(victim(), &here, 1, &there, 1, 0) < 0 && errno != EFAULT ? -1 : 0;
}
static long signal_it(void) { return kill(victim(), 0); }
static long signal_its_thread(void) { return syscall(SYS_tgkill, victim(), victim(), 0); }
static long open_process(void) { return syscall(SYS_pidfd_open, victim(), 0); }
static long signal_by_descriptor(void) {
    // The kernel signals the owner of a descriptor when it can be read.
    return fcntl(1, F_SETOWN, victim());
}
static long slow_it_down(void) { return setpriority(PRIO_PROCESS, victim(), 19); }

// Itself.
static long executable_memory(void) {
    return mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long make_executable(void) {
    void *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static long nameless_file(void) { return memfd_create("x", 0); }
static long lift_limit(void) {
    struct rlimit limit = {1 << 20, 1 << 20};
    return setrlimit(RLIMIT_FSIZE, &limit);
}
static long become_dumpable(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static long change_user(void) { return syscall(SYS_setuid, getuid()); }
static long duplicate(void) { return dup(2); }
static long control_device(void) {
    int on = 0;
    return ioctl(2, FIOASYNC, &on);
}
static long shared_memory(void) { return syscall(SYS_shmget, 0, 4096, 0600); }

// The kernel.
static long name_spaces(void) { return syscall(SYS_unshare, 0x10000000); }
static long bpf(void) { return syscall(SYS_bpf, 0, 0, 0); }
static long io_uring(void) { return syscall(SYS_io_uring_setup, 0, 0); }
static long keys(void) { return syscall(SYS_keyctl, 0, -3, 1, 0, 0); }
static long page_faults(void) { return syscall(SYS_userfaultfd, 1); }
static long mount_it(void) { return syscall(SYS_mount, 0, getenv("FOLDER"), "nosuch", 0, 0); }
#ifdef __x86_64__
static long other_abi(void) { return syscall(0x40000000 | SYS_open, path("file"), O_RDONLY); }
static long older_abi(void) {
    long result;
    // `getpid` of 32-bit programs.
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    return result < 0 ? (errno = -result, -1) : 0;
}
#endif

// Faults of a decoder, after which it continues.
static volatile int lies; // It has written more than it was given, which is a panic of its program.
static long claim_too_much(void) { return lies = 1; }
static long eat_memory(void) {
    for (size_t size = 1 << 30; size >= 4096; size /= 2)
        while (mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {}
    // What the heap has left.
    for (size_t size = 1 << 20; size >= 256; size /= 2)
        while (malloc(size)) {}
    return 0;
}
static volatile char *deep;
static long overflow(void) {
    volatile char frame[4096];
    deep = frame;
    frame[0] = 1;
    return *deep ? overflow() + frame[0] : 0;
}

static const struct {
    const char *name;
    long (*act)(void);
    int goes_on;
} POWERS[] = {
    {"read a file", read_file}, {"write a file", write_file}, {"create a file", create_file},
    {"create a nameless file", create_nameless}, {"open a path only", open_path_only}, {"open a directory", open_directory},
    {"open by openat2", openat2_file}, {"truncate a file", truncate_file}, {"truncate the upload", truncate_upload},
    {"write to the upload", write_upload}, {"delete a file", delete_file}, {"rename a file", rename_file},
    {"make a directory", make_directory}, {"make a link", make_link}, {"make a pipe", make_pipe},
    {"see the size of a file", see_size}, {"change a mode", change_mode}, {"change its folder", change_folder},
    {"read the environment of a process", read_environment}, {"write to the memory of a process", write_memory},
    {"open the upload again", reopen_upload}, {"watch files", watch_files},
    {"connect", connect_to}, {"open a UDP socket", udp}, {"open a Unix socket", unix_socket}, {"open a netlink socket", netlink},
    {"pass descriptors", pass_descriptors},
    {"fork", fork_it}, {"execute a program", execute}, {"spawn a program", spawn}, {"start a thread", start_thread},
    {"trace a process", trace}, {"read the memory of a process", read_its_memory}, {"signal a process", signal_it},
    {"signal a thread of a process", signal_its_thread}, {"open a process", open_process},
    {"signal by a descriptor", signal_by_descriptor}, {"slow a process down", slow_it_down},
    {"map executable memory", executable_memory}, {"make memory executable", make_executable},
    {"create a file in memory", nameless_file}, {"lift a limit", lift_limit}, {"become dumpable", become_dumpable},
    {"set its user", change_user}, {"duplicate a descriptor", duplicate}, {"control a device", control_device},
    {"share memory", shared_memory},
    {"make a name space", name_spaces}, {"load a BPF program", bpf}, {"use io_uring", io_uring}, {"use keys", keys},
    {"handle page faults", page_faults}, {"mount", mount_it},
#ifdef __x86_64__
    {"call by the x32 ABI", other_abi}, {"call by the 32-bit ABI", older_abi},
#endif
    {"claim too much", claim_too_much, 1}, {"eat memory", eat_memory, 1}, {"overflow the stack", overflow, 1},
};

static void act(void) {
    static int done;
    const char *name = getenv("POWER");
    if (done++ || !name) return;
    for (size_t i = 0; i < COUNT(POWERS); i++) {
        if (strcmp(POWERS[i].name, name)) continue;
        errno = 0;
        long result = POWERS[i].act();
        if (POWERS[i].goes_on) return;
        dprintf(2, result < 0 ? "refused: %s\n" : "did\n", strerror(errno));
        _exit(0);
    }
    dprintf(2, "no such power\n");
    _exit(1);
}

#ifdef ALONE
int main(int count, char **words) {
    for (size_t i = 0; count > 1 && !strcmp(words[1], "list") && i < COUNT(POWERS); i++)
        if (!POWERS[i].goes_on) puts(POWERS[i].name);
    if (count == 1) act();
    return 0;
}
#else
off_t lseek(int file, off_t at, int from) {
    act();
    return syscall(SYS_lseek, file, at, from);
}
off64_t lseek64(int file, off64_t at, int from) { return lseek(file, at, from); }

ssize_t write(int file, const void *from, size_t count) {
    ssize_t done = syscall(SYS_write, file, from, count);
    int lie = lies && file != 2 && done > 0;
    if (lie) lies = 0;
    return done + lie;
}
#endif
