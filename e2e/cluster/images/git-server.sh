#!/bin/sh
# Git over HTTP: lighttpd in front of git's own http-backend.
#
#   /seed/NAME/            files; becomes the repository NAME.git, branch main,
#                          with one commit that is the same everywhere
#   /srv/git               the repositories
#   /etc/golden-git/htpasswd  user:{SHA}… or user:$apr1$… lines; or
#   GIT_USER, GIT_PASSWORD    one user; with neither, everybody may read and push
#   PORT                   8080
set -eu

root=/srv/git
run=$(mktemp -d)
export HOME="$run" GIT_CONFIG_GLOBAL="$run/gitconfig"
git config --global safe.directory '*'
git config --global http.receivepack true

seed() {
    name=$1 files=$2
    [ -d "$root/$name.git" ] && return
    work=$(mktemp -d)
    # -L: mounted ConfigMaps are links into hidden folders.
    (cd "$files" && find -L . -type f ! -path './..*' -exec cp --parents -L {} "$work" \;)
    (
        cd "$work"
        export GIT_AUTHOR_NAME=golden GIT_AUTHOR_EMAIL=golden@golden.local GIT_AUTHOR_DATE='2025-01-01T00:00:00Z'
        export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
        export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
        git init -q -b main && git add -A && git commit -q --allow-empty -m 'Initial state'
    )
    git clone -q --bare "$work" "$root/$name.partial"
    git -C "$root/$name.partial" remote remove origin
    mv "$root/$name.partial" "$root/$name.git"
    rm -rf "$work"
}

rm -rf "$root"/*.partial
for files in /seed/*/; do
    [ -d "$files" ] && seed "$(basename "$files")" "$files"
done

auth=
users=/etc/golden-git/htpasswd
if [ ! -f "$users" ] && [ -n "${GIT_PASSWORD:-}" ]; then
    users="$run/htpasswd"
    printf '%s:%s\n' "${GIT_USER:-golden}" "$(printf %s "$GIT_PASSWORD" | openssl passwd -apr1 -stdin)" >"$users"
fi
if [ -f "$users" ]; then
    auth="
auth.backend = \"htpasswd\"
auth.backend.htpasswd.userfile = \"$users\"
auth.require = ( \"/\" => ( \"method\" => \"basic\", \"realm\" => \"git\", \"require\" => \"valid-user\" ) )"
fi

cat >"$run/lighttpd.conf" <<CONFIG
server.modules = ( "mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi" )
server.document-root = "$root"
server.port = ${PORT:-8080}
server.upload-dirs = ( "$run" )
alias.url = ( "/" => "/usr/lib/git-core/git-http-backend/" )
cgi.assign = ( "" => "" )
setenv.set-environment = (
    "GIT_PROJECT_ROOT" => "$root",
    "GIT_HTTP_EXPORT_ALL" => "1",
    "HOME" => "$run",
    "GIT_CONFIG_GLOBAL" => "$GIT_CONFIG_GLOBAL"
)
$auth
CONFIG
exec lighttpd -D -f "$run/lighttpd.conf"
