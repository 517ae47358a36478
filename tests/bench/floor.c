/* The floor under every downloader of images: fetch, sha256, write, and nothing else.
 *
 *   cc -O2 -o floor floor.c -lcurl -lcrypto;  ./floor PROCESSES URLS FOLDER
 *
 * URLS is a file with a URL a line; each process takes its share with PARALLEL connections, and
 * writes N.jpg (N is the line) and its list of sums below FOLDER. Nothing is synced. */
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARALLEL = 16 };

struct slot {
    CURL *easy;
    EVP_MD_CTX *sha;
    char *body;
    size_t size, room;
    long line;
};

static char **urls;
static long count, next_line, step;
static const char *folder;
static FILE *sums;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static size_t take(char *data, size_t one, size_t size, void *to) {
    struct slot *slot = to;
    if (slot->size + size > slot->room) {
        slot->room = 2 * (slot->size + size);
        slot->body = realloc(slot->body, slot->room);
        if (!slot->body) die("realloc");
    }
    memcpy(slot->body + slot->size, data, size);
    slot->size += size;
    EVP_DigestUpdate(slot->sha, data, size);
    return one * size;
}

static int begin(CURLM *multi, struct slot *slot) {
    if (next_line >= count) return 0;
    slot->line = next_line;
    slot->size = 0;
    next_line += step;
    EVP_DigestInit_ex(slot->sha, EVP_sha256(), NULL);
    curl_easy_setopt(slot->easy, CURLOPT_URL, urls[slot->line]);
    curl_multi_add_handle(multi, slot->easy);
    return 1;
}

static void keep(struct slot *slot) {
    unsigned char digest[32];
    char path[4096];
    EVP_DigestFinal_ex(slot->sha, digest, NULL);
    snprintf(path, sizeof path, "%s/%ld.jpg", folder, slot->line);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, slot->body, slot->size) != (ssize_t)slot->size) die(path);
    close(file);
    for (int n = 0; n < 32; n++) fprintf(sums, "%02x", digest[n]);
    fprintf(sums, "  %ld.jpg\n", slot->line);
}

static void work(void) {
    static struct slot slots[PARALLEL];
    CURLM *multi = curl_multi_init();
    int open_ones = 0, running, left;
    for (int n = 0; n < PARALLEL; n++) {
        struct slot *slot = &slots[n];
        slot->easy = curl_easy_init();
        slot->sha = EVP_MD_CTX_new();
        curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
        curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
        curl_easy_setopt(slot->easy, CURLOPT_FAILONERROR, 1L);
        open_ones += begin(multi, slot);
    }
    while (open_ones) {
        curl_multi_perform(multi, &running);
        for (CURLMsg *said; (said = curl_multi_info_read(multi, &left));) {
            struct slot *slot;
            if (said->data.result != CURLE_OK) {
                fprintf(stderr, "%s\n", curl_easy_strerror(said->data.result));
                exit(1);
            }
            curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
            curl_multi_remove_handle(multi, slot->easy);
            keep(slot);
            open_ones += begin(multi, slot) - 1;
        }
        if (open_ones) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

static void read_urls(const char *path) {
    char *line = NULL;
    size_t room = 0, length = 0;
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    for (ssize_t got; (got = getline(&line, &room, file)) > 0;) {
        line[strcspn(line, "\n")] = 0;
        if ((size_t)count == length) {
            length = 2 * length + 1024;
            urls = realloc(urls, length * sizeof *urls);
            if (!urls) die("realloc");
        }
        urls[count++] = strdup(line);
    }
}

int main(int argc, char **argv) {
    char path[4096];
    if (argc != 4) return 2;
    step = atol(argv[1]);
    folder = argv[3];
    read_urls(argv[2]);
    for (long n = 0; n < step; n++) {
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child) continue;
        next_line = n;
        snprintf(path, sizeof path, "%s/sums.%ld", folder, n);
        sums = fopen(path, "w");
        if (!sums) die(path);
        work();
        if (fclose(sums)) die(path);
        _exit(0);
    }
    int status, bad = 0;
    while (wait(&status) > 0) bad |= status != 0;
    return bad;
}
