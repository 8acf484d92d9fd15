/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files and folders, without libFuzzer: so that every
 * build mode and compiler replays the corpus.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buf;
	size_t n;

	if (!f) {
		perror(path);
		exit(2);
	}
	buf = malloc(1 << 20);
	if (!buf)
		exit(2);
	n = fread(buf, 1, 1 << 20, f);
	fclose(f);
	/* An exact block, so that a sanitizer sees reads past the end. */
	buf = realloc(buf, n ? n : 1);
	if (!buf)
		exit(2);
	LLVMFuzzerTestOneInput(buf, n);
	free(buf);
	return 1;
}

static unsigned long run_path(const char *path)
{
	unsigned long n = 0;
	struct dirent *d;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) != 0) {
		perror(path);
		exit(2);
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		char sub[4096];

		if (d->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, d->d_name);
		n += run_path(sub);
	}
	if (dir)
		closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	unsigned long n = 0;

	for (int i = 1; i < argc; i++)
		n += run_path(argv[i]);
	printf("%s: %lu inputs\n", argv[0], n);
	return 0;
}
