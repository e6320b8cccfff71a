#define ONLY_ON_DISK 8
