# shellcheck shell=bash
# What the scripts beside this file share. Sourced, not run. Kept to bash 3.2, what macOS has.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# How the person would call a script again from where they stand.
# shellcheck disable=SC2034 # the scripts use it
here=$([[ $PWD == "$root" ]] && echo scripts || echo "$root/scripts")
cd "$root"

# All that scripts/up makes: databases, logs, pids, Redis data.
run=.run
# In the order of the line. Their ports count from 3000, unless ORDER_PORT and so on say otherwise.
services=(order-svc user-svc inventory-svc item-svc payment-svc notify-svc)
redis='redis-server'
# The services drain within 10 s of SIGTERM; who takes longer than this is stuck. Seconds.
stop_deadline=15

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() { warn "$(basename "$0"): $*" && exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The comment at the top of the script that was called.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# order-svc -> ORDER, as in SAGA__SERVICES__ORDER and ORDER_PORT.
key() { printf '%s' "${1%-svc}" | tr '[:lower:]' '[:upper:]'; }

# Where .run/env says that a service or Redis is, and the port of that.
url_of() {
  local variable=REDIS_URL
  [[ $1 == "$redis" ]] || variable=SAGA__SERVICES__$(key "$1")
  printf '%s' "${!variable}"
}
port_of() {
  local url
  url=$(url_of "$1")
  printf '%s' "${url##*:}"
}

# Takes over .run/env.
load_env() {
  set -a
  # shellcheck source=/dev/null
  source $run/env
  set +a
}

# Where release binaries go: CARGO_TARGET_DIR and cargo's own configuration count.
bin_dir() {
  local metadata
  have cargo || die "cargo is missing: install Rust 1.89 or newer, https://rustup.rs"
  metadata=$(cargo metadata --format-version 1 --no-deps)
  sed 's/.*"target_directory":"\([^"]*\)".*/\1\/release/' <<<"$metadata"
}

# "item" and "item-svc" both mean item-svc.
service_named() {
  local name
  for name in "${services[@]}" $redis; do
    if [[ $1 == "$name" || $1 == "${name%-svc}" || $1 == "${name%-server}" ]]; then
      say "$name"
      return
    fi
  done
  die "there is no service $1; there are ${services[*]} $redis"
}

# The program that runs as this pid; nothing when it has ended.
program_of() {
  local field value name=''
  if [[ ! -d /proc/self ]]; then
    basename "$(ps -o comm= -p "$1" 2>/dev/null || true)"
    return
  fi
  while read -r field value; do
    case $field in
    Name:) name=$value ;;
    # A process that has ended and that nobody has waited for (Z) still has a name.
    State:) [[ $value == Z* ]] || say "$name" ;;
    esac
  done 2>/dev/null <"/proc/$1/status" || true
}

# The pid of a service or Redis that scripts/up started and that still runs. A pid that belongs to
# another program by now is not taken for it.
pid_of() {
  local pid
  pid=$(cat "$run/pids/$1.pid" 2>/dev/null) && [[ $(program_of "$pid") == "$1" ]] && echo "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

# Ends what scripts/up started, all at once, and waits for it.
stop() {
  local name pid deadline=$((SECONDS + stop_deadline))
  for name; do
    if pid=$(pid_of "$name"); then kill -TERM "$pid" 2>/dev/null || true; fi
  done
  for name; do
    while pid=$(pid_of "$name"); do
      if ((SECONDS >= deadline)); then
        warn "$name has not ended within $stop_deadline s: killed"
        kill -KILL "$pid" 2>/dev/null || true
        break
      fi
      sleep 0.1
    done
  done
}

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A redis-server on the path, if need be from the system's packages.
need_redis() {
  have $redis && return
  local install='' as=()
  if have brew; then
    install='brew install redis'
  elif have apt-get; then
    install='apt-get install -y redis-server'
  elif have dnf; then
    install='dnf install -y redis'
  elif have apk; then
    install='apk add redis'
  elif have pacman; then
    install='pacman -S --noconfirm redis'
  elif have zypper; then
    install='zypper install -y redis'
  else
    die "redis-server is missing: install Redis 7 (https://redis.io/docs/latest/operate/oss_and_stack/install/), or set REDIS_URL"
  fi
  if [[ $install == brew* ]]; then
    as=(env)
  elif ((EUID == 0)); then
    as=(env DEBIAN_FRONTEND=noninteractive)
  elif have sudo && sudo -n true 2>/dev/null; then
    as=(sudo -n env DEBIAN_FRONTEND=noninteractive)
  else
    die "redis-server is missing: run 'sudo $install', or set REDIS_URL"
  fi
  say "redis-server is missing: $install"
  mkdir -p $run
  {
    # A fresh machine's package lists may be empty or old.
    if [[ $install == apt-get* ]]; then "${as[@]}" apt-get update || true; fi
    # shellcheck disable=SC2086 # words on purpose
    "${as[@]}" $install
  } >$run/install.log 2>&1 || die "'$install' failed, see $root/$run/install.log"
  hash -r
  have $redis || die "'$install' brought no redis-server"
}

# prometheus and promtool on the path, if they can be had: Debian's package, unpacked below .run and
# not installed, so that no daemon starts. Without them two tests are skipped, and say so.
want_prometheus() {
  have prometheus && have promtool && return
  local unpacked=$run/prometheus
  if [[ ! -x $unpacked/usr/bin/promtool ]] && have apt-get && have dpkg-deb; then
    say "prometheus is missing: unpacking Debian's package into $unpacked"
    mkdir -p $unpacked
    {
      # A fresh machine's package lists may be empty or old.
      ((EUID != 0)) || apt-get update
      (cd $unpacked && apt-get download prometheus && dpkg-deb -x prometheus_*.deb .)
    } >$run/prometheus.log 2>&1 || true
  fi
  PATH=$root/$unpacked/usr/bin:$PATH
  hash -r
  have prometheus && have promtool && return
  warn "SKIPPED: prometheus and promtool are missing, so the rules and the dashboard in deploy/ are not tried."
  warn "Install them (brew install prometheus, pacman -S prometheus, apk add prometheus), then run this again."
}

# schemathesis on the path, if it can be had: from PyPI, into a folder below .run. Without it one test
# is skipped, and says so.
want_schemathesis() {
  have schemathesis && return
  local unpacked=$run/schemathesis
  if [[ ! -x $unpacked/bin/schemathesis ]] && have python3; then
    say "schemathesis is missing: installing it from PyPI into $unpacked"
    mkdir -p $run
    {
      python3 -m venv $unpacked && $unpacked/bin/pip install --quiet schemathesis==4.32.5
    } >$run/schemathesis.log 2>&1 || true
  fi
  PATH=$root/$unpacked/bin:$PATH
  hash -r
  have schemathesis && return
  warn "SKIPPED: schemathesis is missing, so the OpenAPI documents are not held against the answers."
  warn "Install it (pipx install schemathesis==4.32.5), then run this again."
}

# chromium and chromedriver on the path, and a font with Korean in it, if they can be had: Debian's
# packages, where this may install them. Without them the tests of the page are skipped, and say so.
want_chromium() {
  have chromedriver && have chromium && return
  local as=(env DEBIAN_FRONTEND=noninteractive)
  ((EUID == 0)) || as=(sudo -n "${as[@]}")
  if have apt-get && { ((EUID == 0)) || { have sudo && sudo -n true 2>/dev/null; }; }; then
    say "chromium is missing: installing Debian's chromium and chromium-driver"
    mkdir -p $run
    {
      "${as[@]}" apt-get update || true
      "${as[@]}" apt-get install -y --no-install-recommends chromium chromium-driver fonts-nanum
    } >$run/chromium.log 2>&1 || true
  fi
  hash -r
  have chromedriver && have chromium && return
  warn "SKIPPED: chromium and chromedriver are missing, so the page is not tried in a browser."
  warn "Install them (brew install chromium chromedriver, pacman -S chromium), then run this again."
}

# axe-core 4.12.1 as the variable AXE, if it can be had: a package of PyPI's carries it. Without it the
# page's accessibility is not tried, and that is said.
want_axe() {
  local unpacked=$run/axe
  if [[ -z ${AXE:-} && ! -s $unpacked/axe.min.js ]] && have python3; then
    say "axe-core is missing: unpacking it from PyPI into $unpacked"
    mkdir -p $unpacked
    {
      python3 -m pip download --quiet --no-deps --dest $unpacked axe-playwright-python==0.1.8 &&
        python3 -m zipfile -e $unpacked/axe_playwright_python-0.1.8-*.whl $unpacked/wheel &&
        cp $unpacked/wheel/axe_playwright_python/axe.min.js $unpacked/
    } >$run/axe.log 2>&1 || true
  fi
  [[ -n ${AXE:-} || ! -s $unpacked/axe.min.js ]] || export AXE=$root/$unpacked/axe.min.js
  [[ -z ${AXE:-} ]] || return 0
  warn "SKIPPED: axe-core is missing, so the page's accessibility is not tried."
  warn "Set AXE to the path of an axe.min.js, then run this again."
}
