#!/usr/bin/env bash
# One command for every job: ./submit.sh pipeline | clean | embed | link | mine | report | serve | test | bench | doctor
# Makes its own virtual environment from the pinned lock on first use; needs Python 3.11+ and Java 17+.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
leg=${BASKETLENS_LEG:-spark-4.2}                  # which lock of conf/locks/ to run with
lock="$here/conf/locks/$leg.txt"
venv=${BASKETLENS_VENV:-"$here/.venv"}
[ "$leg" = spark-4.2 ] || venv=${BASKETLENS_VENV:-"$here/.venv-$leg"}

die() { printf 'basketlens: %s\n' "$1" >&2; exit "${2:-2}"; }

find_python() {
  local name
  for name in ${BASKETLENS_PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then printf '%s' "$name"; return; fi
  done
  die "Python 3.11 or newer is needed, and none was found.
  Looked for: ${BASKETLENS_PYTHON:-python3 python3.13 python3.12 python3.11 python}; found: $(python3 --version 2>&1 || true)"
}

java_major() {  # prints the major version of the Java that Spark would start, nothing when there is none
  local java=java text
  [ -z "${JAVA_HOME:-}" ] || java="$JAVA_HOME/bin/java"
  text=$("$java" -version 2>&1) || return 0
  sed -nE 's/.*version "(1\.)?([0-9]+).*/\2/p' <<<"$text" | head -n 1
}

java_package() {  # Debian 13 no longer has Java 17
  local ID='' VERSION_ID=0
  [ ! -r /etc/os-release ] || . /etc/os-release
  if [ "$ID" = debian ] && [ "${VERSION_ID%%.*}" -ge 13 ]; then printf openjdk-21-jre-headless; else printf openjdk-17-jre-headless; fi
}

need_java() {
  local major line; line="apt-get install -y --no-install-recommends $(java_package)"
  major=$(java_major)
  if [ -z "$major" ] && [ "$install_java" = yes ]; then
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || die "--install-java works as root on Debian and Ubuntu alone"
    printf 'basketlens: installing Java: %s\n' "$line" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive $line; } >&2 || die "Java could not be installed" 4
    major=$(java_major)
  fi
  if [ -z "$major" ]; then
    local hint='install a Java 17 or newer runtime, or set JAVA_HOME'
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
      hint="$line
        or run this command again with --install-java, which does just that"
    fi
    die "Spark needs Java 17 or newer, and there is none (JAVA_HOME='${JAVA_HOME:-}').
  Next: $hint"
  fi
  [ "$major" -ge 17 ] || die "Spark needs Java 17 or newer; found Java $major (JAVA_HOME='${JAVA_HOME:-}').
  Next: install a newer one and set JAVA_HOME to its folder"
}

need_venv() {
  [ -f "$lock" ] || die "BASKETLENS_LEG='$leg' has no lock file.
  Known: $(cd "$here/conf/locks" && printf '%s ' *.txt | sed 's/\.txt//g')"
  local wanted stamp="$venv/.basketlens-lock"
  wanted=$(cat "$lock" "$here/pyproject.toml" | cksum)
  [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ] || return 0
  local python; python=$(find_python)
  printf 'basketlens: installing the locked packages into %s (once, some minutes)\n' "$venv" >&2
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || die "a virtual environment could not be made in $venv" 4
  local log="$venv/install.log"
  # setuptools first and no build isolation: what builds the packages is pinned too.
  { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $(grep -E '^(setuptools|wheel)==' "$lock") &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation -r "$lock" &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e "$here"; } \
    >"$log" 2>&1 || { tail -n 15 "$log" >&2; die "the packages could not be installed; the whole story is in $log" 4; }
  printf '%s' "$wanted" >"$stamp"
}

install_java=no
arguments=()
for argument in "$@"; do
  if [ "$argument" = --install-java ]; then install_java=yes; else arguments+=("$argument"); fi
done
set -- ${arguments[@]+"${arguments[@]}"}

job=${1:-help}
case "$job" in
  help | -h | --help) ;;
  doctor) ;;
  *) need_java ;;
esac
need_venv

case "$job" in
  test)
    shift
    cd "$here"
    "$venv/bin/ruff" check .
    "$venv/bin/ruff" format --check .
    # The stubs of Spark 3.5 describe mapInArrow otherwise; types are checked on the default leg.
    [ "$leg" != spark-4.2 ] || "$venv/bin/mypy"
    # Two processes: most of a small Spark job is planning, on one core.  The last -n wins: `test -n 0` is one.
    exec "$venv/bin/python" -m pytest -n 2 --dist loadfile "$@"
    ;;
  bench)
    shift
    cd "$here"
    exec "$venv/bin/python" -m tests.bench "$@"
    ;;
  *)
    exec "$venv/bin/python" -m basketlens.launch "$@"
    ;;
esac
