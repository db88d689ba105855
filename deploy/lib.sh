# SPDX-License-Identifier: BSD-3-Clause
# What demo, check, lab and the smoke tests have in common. Sourced by bash, never run.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RUN=/run/postgate
LAB=$RUN/lab
NS_OUT=pg-outside
NS_GW=pg-gateway
NS_IN=pg-inside

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}
need_root() { [ "$(id -u)" = 0 ] || die "must be run as root"; }

# Installs what is missing of the named groups of deploy/packages. Nothing of the host is replaced or
# removed for it, and no service is configured or started.
need_packages() {
	local group want missing
	missing=()
	for group in "$@"; do
		want=$(sed -n "s/^$group://p" "$TOP/deploy/packages" | tr '|' ' ')
		[ -n "$want" ] || die "no group '$group' in deploy/packages"
		for p in $want; do
			dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' ||
				missing+=("$p")
		done
	done
	if [ ${#missing[@]} -gt 0 ]; then
		[ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -print -quit)" ] ||
			apt-get update -qq || die "apt-get update failed"
		say "installing: ${missing[*]}"
		if [[ " ${missing[*]} " == *" postfix "* ]]; then
			echo "postfix postfix/main_mailer_type select No configuration" |
				debconf-set-selections
		fi
		local log
		log=$(mktemp)
		if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove \
			--no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
			# The lists may be older than what the mirror has.
			apt-get update -qq >>"$log" 2>&1 || true
			if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove \
				--no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
				tail -n 20 "$log" >&2
				rm -f "$log"
				die "could not install: ${missing[*]}"
			fi
		fi
		rm -f "$log"
	fi
}

# configure_build DIR MESON-ARGS...: sets the build directory up, or over again if it was made otherwise.
configure_build() {
	local dir=$1
	shift
	local mark="$dir/.postgate-args" want="${CC:-cc} $*"
	if [ -f "$dir/build.ninja" ] && [ "$(cat "$mark" 2>/dev/null)" = "$want" ]; then
		return 0
	fi
	# meson's --wipe would keep the old options.
	[ ! -f "$dir/build.ninja" ] || rm -rf "$dir"
	meson setup "$dir" "$TOP" "$@" || return 1
	printf '%s' "$want" >"$mark"
}

# wait_until SECONDS COMMAND...: until it succeeds; 1 if it never did.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# The lab is one of a machine: who builds it, uses it or ends it holds this lock meanwhile, so that two runs wait for
# each other. Children of the holder have POSTGATE_LAB_LOCKED.
LAB_LOCK=/run/lock/postgate-lab.lock
lock_lab() {
	[ -z "${POSTGATE_LAB_LOCKED:-}" ] || return 0
	mkdir -p "${LAB_LOCK%/*}"
	exec 8>"$LAB_LOCK"
	if ! flock -n 8; then
		say "waiting for another run to be done with the lab"
		flock -w 1200 8 || die "another run has the lab ($LAB_LOCK)"
	fi
	export POSTGATE_LAB_LOCKED=1
}

pid_alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# stop_pidfile FILE [SECONDS]: TERM, and KILL if it does not end in time.
stop_pidfile() {
	local pid
	[ -s "$1" ] || return 0
	pid=$(cat "$1")
	if kill -TERM "$pid" 2>/dev/null; then
		wait_until "${2:-8}" eval "! kill -0 $pid" || kill -KILL "$pid" 2>/dev/null
	fi
	rm -f "$1"
}
