/*
 * user.h - with whose rights a program handles what strangers sent. As root it goes on as the owner of the store, for good.
 *
 * A store that root makes is given to the user "bouncetap", if there is one who can reach it; else it stays root's, and so does the program.
 * Directories that were there before keep their owner.
 */
#ifndef COMMON_USER_H
#define COMMON_USER_H

#include <stddef.h>

/* Made by sysusers.d and packages. */
#define USER_OF_STORES "bouncetap"

/* Makes the store's directory (0750) when it is not there, and gives it away as above. 0, or -1 and errno. */
int user_make_store(const char *dir);

/* As root: gives a directory that was just made and is empty to the user above. Whatever stands against it, it then stays root's. */
void user_give_store(const char *dir);

/*
 * As root: becomes owner and group of the directory, without supplementary groups; nothing when it is root's or not there. Not as root: nothing.
 * 0: message says why root goes on as root, "" when it does not. -1: the owner cannot work there, or the kernel does not let us; see message.
 */
int user_become_owner(const char *dir, char *message, size_t size);

#endif
