//! Names of programs, by how much they are also words.

/// Programs whose names are no words of prose.
pub(super) const PROGRAMS: &[&str] = &[
    "halt",
    "poweroff",
    "apt-get",
    "base64",
    "bash",
    "busybox",
    "certutil",
    "chmod",
    "chown",
    "crontab",
    "csh",
    "curl",
    "dash",
    "dig",
    "ifconfig",
    "ipconfig",
    "iptables",
    "kubectl",
    "ksh",
    "ls",
    "lynx",
    "mkdir",
    "mkfifo",
    "mkfs",
    "nc",
    "ncat",
    "netcat",
    "netstat",
    "nmap",
    "nslookup",
    "perl",
    "php",
    "powershell",
    "printenv",
    "ps",
    "pwd",
    "python",
    "python2",
    "python3",
    "rm",
    "rmdir",
    "ruby",
    "scp",
    "sed",
    "sh",
    "ssh",
    "sudo",
    "systemctl",
    "telnet",
    "tftp",
    "uname",
    "useradd",
    "wget",
    "whoami",
    "xxd",
    "zsh",
];

/// Programs whose names are words: they need what looks like an argument.
pub(super) const WORDS: &[&str] = &[
    "awk", "cat", "cmd", "cp", "cut", "date", "dd", "del", "dir", "echo", "env", "eval", "exec", "expr",
    "find", "grep", "head", "host", "id", "kill", "killall", "less", "more", "mount", "mv", "node", "passwd",
    "ping", "printf", "reboot", "sleep", "sort", "source", "su", "tail", "tar", "tee", "test", "top",
    "touch", "type", "which", "who", "xargs",
];

/// Programs that say something without arguments.
pub(super) const BARE: &[&str] = &[
    "halt", "poweroff", "bash", "dir", "env", "id", "ifconfig", "ipconfig", "ls", "netstat", "printenv",
    "ps", "pwd", "reboot", "sh", "uname", "whoami", "zsh",
];

/// What follows a program's name in a sentence about it.
pub(super) const ABOUT: &[&str] = &[
    "is", "was", "are", "were", "has", "had", "does", "did", "can", "could", "may", "might", "must",
    "should", "would", "will", "and", "or", "not", "it", "that", "this", "the", "a", "an", "in", "on", "for",
    "to", "of", "with", "as", "at", "by", "be", "if", "then", "when", "where", "which", "but", "only",
    "also", "itself", "here", "there", "them", "access", "command", "commands", "script", "scripts", "needs",
    "runs", "works", "fails", "too", "first", "before",
];

/// What a text is piped into to be run.
pub(super) const SHELLS: &[&str] = &["sh", "bash", "zsh", "dash", "ksh", "ash", "csh", "tcsh", "fish"];

/// They run what comes in, too, but are also named in other places: a fetch must stand before.
pub(super) const INTERPRETERS: &[&str] = &[
    "python",
    "python2",
    "python3",
    "perl",
    "ruby",
    "node",
    "php",
    "pwsh",
    "powershell",
    "iex",
    "xargs",
    "source",
];

/// Where what is piped comes from.
pub(super) const SOURCES: &[&str] = &[
    "curl", "wget", "fetch", "echo", "printf", "cat", "base64", "openssl", "xxd", "nc", "ncat", "netcat",
    "gunzip", "gzip", "zcat", "tar", "sed", "awk", "tr", "rev", "head", "tail", "aria2c", "lynx", "iwr",
    "irm",
];

/// What reads a file.
pub(super) const READERS: &[&str] = &[
    "cat", "less", "more", "head", "tail", "nl", "od", "xxd", "base64", "strings", "tac", "cp", "scp", "vi",
    "nano",
];

/// Files that nobody shows to others.
pub(super) const SECRETS: &[&str] =
    &["/etc/passwd", "/etc/shadow", "/etc/sudoers", "/root/", "~/.ssh", "~/.aws", "/proc/self/environ"];

/// Where a redirection does harm.
pub(super) const TARGETS: &[&str] = &[
    "/etc/",
    "/boot/",
    "/root/",
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/dev/sd",
    "/dev/nvme",
    "/dev/vd",
    "/dev/mem",
    "/proc/",
    "/sys/",
    "/var/spool/cron",
    "~/.ssh",
    "~/.bashrc",
    "~/.profile",
    "~/.zshrc",
];

/// What `$(…)` begins with in languages that are no shell.
pub(super) const CALLS: &[&str] = &[
    "function",
    "async",
    "this",
    "document",
    "window",
    "wildcard",
    "patsubst",
    "subst",
    "foreach",
    "filter",
    "filter-out",
    "addprefix",
    "addsuffix",
    "notdir",
    "shell",
    "call",
    "strip",
    "if",
    "or",
    "and",
];
