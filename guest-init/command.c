// From an exec request to execve(2).  See command.h.
#include "guest-init/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest-init/text.h"

#define DEFAULT_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NOT_FOUND      127
#define NOT_EXECUTABLE 126

// Keeps a copy of s, which holds no NUL; NULL when there is no room.
static char *keep(struct command *cmd, const char *s, size_t n)
{
	char *at = cmd->text + cmd->used;

	if (n >= sizeof(cmd->text) - cmd->used)
		return NULL;
	memcpy(at, s, n);
	at[n] = '\0';
	cmd->used += n + 1;
	return at;
}

static char *keep_slice(struct command *cmd, const struct mp_slice *s)
{
	if (memchr(s->p, '\0', s->len) != NULL)
		return NULL;
	return keep(cmd, (const char *)s->p, s->len);
}

static char **find_env(struct command *cmd, const char *word, size_t name_len)
{
	for (size_t i = 0; i < cmd->nenv; i++)
		if (strncmp(cmd->env[i], word, name_len) == 0 && cmd->env[i][name_len] == '=')
			return &cmd->env[i];
	return NULL;
}

// Adds NAME=value, or replaces the NAME that is there.
static bool set_env(struct command *cmd, char *word)
{
	const char *eq = word != NULL ? strchr(word, '=') : NULL;
	char **there;

	if (eq == NULL || eq == word)
		return false;
	there = find_env(cmd, word, (size_t)(eq - word));
	if (there != NULL) {
		*there = word;
		return true;
	}
	if (cmd->nenv + 1 >= sizeof(cmd->env) / sizeof(cmd->env[0]))
		return false;
	cmd->env[cmd->nenv++] = word;
	cmd->env[cmd->nenv] = NULL;
	return true;
}

static bool set_env_pair(struct command *cmd, const char *name, const char *value)
{
	char word[512];

	return text_join(word, sizeof(word), name, value, NULL) && set_env(cmd, keep(cmd, word, strlen(word)));
}

// The environment under the request's own: the image's, on top of what every command can expect.
static bool base_env(struct command *cmd, bool tty, const struct config *c)
{
	bool ok = set_env_pair(cmd, "PATH=", DEFAULT_PATH);

	ok = ok && set_env_pair(cmd, "HOME=", cmd->as_user ? cmd->user.home : "/root");
	if (cmd->as_user && cmd->user.name[0] != '\0')
		ok = ok && set_env_pair(cmd, "USER=", cmd->user.name) && set_env_pair(cmd, "LOGNAME=", cmd->user.name);
	if (tty)
		ok = ok && set_env_pair(cmd, "TERM=", "xterm");
	for (size_t i = 0; ok && i < c->nenv; i++)
		ok = set_env(cmd, (char *)(uintptr_t)c->env[i]); // only ever read
	return ok;
}

static const char *take_env(struct command *cmd, const struct msg_exec *req, const struct config *c)
{
	struct mp_slice s;
	struct mp it;

	cmd->nenv = 0;
	cmd->env[0] = NULL;
	if (!req->env_clear && !base_env(cmd, req->has_tty_rows, c))
		return "the image's environment is too large";
	if (!req->has_env)
		return NULL;
	it = mp_over(req->env.raw.p, req->env.raw.len);
	while (wire_bytes_next(&it, &s))
		if (!set_env(cmd, keep_slice(cmd, &s)))
			return "env: not NAME=value, or too many";
	return NULL;
}

static const char *take_user(struct command *cmd, const struct msg_exec *req)
{
	if (req->has_user && (req->has_uid || req->has_gid))
		return "either user, or uid and gid";
	if (req->has_gid && !req->has_uid)
		return "gid goes with uid";
	cmd->as_user = req->has_user || req->has_uid;
	if (req->has_user) {
		char *name = keep_slice(cmd, &req->user);

		if (name == NULL || !user_find(name, &cmd->user))
			return "no such user";
	} else if (req->has_uid) {
		user_by_uid(req->uid, &cmd->user);
		if (req->has_gid)
			cmd->user.gid = req->gid;
	}
	return NULL;
}

const char *command_prepare(struct command *cmd, const struct msg_exec *req, const struct config *c)
{
	struct mp it = mp_over(req->argv.raw.p, req->argv.raw.len);
	struct mp_slice s;
	const char *why;
	size_t n = 0;

	cmd->used = 0;
	while (n < COMMAND_WORDS && wire_bytes_next(&it, &s))
		if ((cmd->argv[n++] = keep_slice(cmd, &s)) == NULL)
			return "argv is too long";
	cmd->argv[n] = NULL;
	if (n == 0 || cmd->argv[0][0] == '\0')
		return "no program to run";
	if (req->has_tty_rows != req->has_tty_cols)
		return "tty_rows goes with tty_cols";
	cmd->cwd = req->has_cwd ? keep_slice(cmd, &req->cwd) : NULL;
	cmd->tag = req->has_tag ? keep_slice(cmd, &req->tag) : NULL;
	if ((req->has_cwd && cmd->cwd == NULL) || (req->has_tag && cmd->tag == NULL))
		return "NUL inside cwd or tag";
	why = take_user(cmd, req);
	return why != NULL ? why : take_env(cmd, req, c);
}

// ---- in the child -----------------------------------------------------------------------------------------------------------------

_Noreturn static void give_up(int code, const char *what, int err)
{
	say(what, NULL, err);
	_exit(code);
}

static void reset_signals(void)
{
	static const struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} dfl; // the kernel's struct sigaction: the C library's own call refuses 32 to 34
	sigset_t none;

	for (int n = 1; n <= 64; n++)
		(void)syscall(SYS_rt_sigaction, n, &dfl, NULL, sizeof dfl.mask); // KILL and STOP refuse
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void take_io(const struct command_io *io)
{
	int high[3];

	// Above 2 first, so that no dup2 below overwrites one that is still needed.
	for (int i = 0; i < 3; i++)
		high[i] = fcntl(io->fds[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		if (high[i] < 0 || dup2(high[i], i) < 0)
			_exit(NOT_EXECUTABLE);
	if (io->tty)
		(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0); // a session leader without a terminal always may
}

// The system calls themselves: this process has one thread, and the C library's versions are made for more.
static void become_user(const struct command *cmd)
{
	const struct user *u = &cmd->user;

	if (!cmd->as_user)
		return;
	if (syscall(SYS_setgroups, u->ngroups, u->groups) < 0 || syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0 ||
	    syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0)
		give_up(NOT_EXECUTABLE, "user", errno);
}

static void go_to_cwd(const struct command *cmd)
{
	const char *dir = cmd->cwd != NULL ? cmd->cwd : cmd->as_user ? cmd->user.home : "/";

	if (chdir(dir) < 0 && cmd->cwd != NULL)
		give_up(NOT_EXECUTABLE, cmd->cwd, errno);
}

// Tries dir/name.  Returns the errno that kept it from running.
static int try_in(const char *dir, size_t n, const struct command *cmd)
{
	char path[4096];
	struct text t = text_over(path, sizeof(path));

	text_add_n(&t, dir, n);
	if (n > 0)
		text_add(&t, "/");
	text_add(&t, cmd->argv[0]);
	if (t.cut)
		return ENAMETOOLONG;
	execve(path, cmd->argv, cmd->env);
	return errno;
}

// The search of execvp(3), by the command's own PATH.  Returns the errno that tells most.
static int exec_by_path(const struct command *cmd)
{
	const char *path = DEFAULT_PATH;
	int err = ENOENT;

	if (strchr(cmd->argv[0], '/') != NULL)
		return try_in("", 0, cmd);
	for (size_t i = 0; i < cmd->nenv; i++)
		if (strncmp(cmd->env[i], "PATH=", 5) == 0)
			path = cmd->env[i] + 5;
	for (;;) {
		size_t n = strcspn(path, ":");
		int e = try_in(n > 0 ? path : ".", n > 0 ? n : 1, cmd);

		if (e != ENOENT && e != ENOTDIR)
			err = e;
		if (path[n] == '\0')
			return err;
		path += n + 1;
	}
}

_Noreturn void command_run(const struct command *cmd, const struct command_io *io)
{
	int err;

	(void)setsid();
	take_io(io);
	reset_signals();
	umask(022);
	(void)file_write("/proc/self/oom_score_adj", "0"); // the agent's own protection isn't for its commands
	if (io->unplaced != 0)
		give_up(NOT_EXECUTABLE, "cgroup", io->unplaced);
	become_user(cmd);
	go_to_cwd(cmd);
	// After the last change of credentials, which clears it.  A supervisor that is killed takes its command with it.
	if (!io->orphan && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() != io->parent)
		_exit(NOT_EXECUTABLE);
	err = exec_by_path(cmd);
	give_up(err == ENOENT || err == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE, cmd->argv[0], err);
}
