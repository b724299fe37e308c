#!/usr/bin/env bash
# Installs what ReelNet needs beyond git and a Rust toolchain, and says what it installs. Nothing is done when nothing is missing.
# Debian and Ubuntu are installed for; elsewhere the missing things are named.
#   scripts/setup.sh [--tests] [--scripts]    further for the tests; further for the scripts that make data and measure beside peers
set -euo pipefail

tests= scripts=
for option in "$@"; do
  case "$option" in
    --tests) tests=1 ;;
    --scripts) scripts=1 ;;
    *) echo "setup: no such option: $option; there are --tests and --scripts" >&2; exit 2 ;;
  esac
done

# ---- What is missing ----
need_ffmpeg_major=59 # libavcodec of FFmpeg 5.1
packages=()
have() { command -v "$1" >/dev/null 2>&1; }

have pkg-config || packages+=(pkg-config)
for library in libavcodec libavformat libavutil libswscale; do
  if ! have pkg-config || ! pkg-config --exists "$library"; then packages+=("$library-dev"); fi
done
# bindgen reads FFmpeg's headers with libclang (not libclang-cpp, whose name begins alike), and libclang needs its own headers beside it.
libclang=$(find /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib64 -maxdepth 1 \( -name 'libclang.so*' -o -name 'libclang-[0-9]*.so*' \) 2>/dev/null | head -1 || true)
if [ -z "$libclang" ] && [ -z "${LIBCLANG_PATH:-}" ]; then packages+=(libclang-dev); fi
# The allocator is C, and what stands between Rust and oneDNN is C++.
if ! have cc && ! have gcc && ! have clang; then packages+=(gcc libc6-dev); fi
if ! have c++; then packages+=(g++); fi
# Convolutions. Most installations bring no file for pkg-config; the build script also takes a folder in ONEDNN_DIR.
case "$(uname -sm)" in
  "Linux x86_64" | "Linux aarch64")
    header=oneapi/dnnl/dnnl_version.h
    if ! { have pkg-config && pkg-config --exists dnnl; } \
      && [ ! -e "/usr/include/$header" ] && [ ! -e "/usr/local/include/$header" ] && [ ! -e "${ONEDNN_DIR:-/nowhere}/include/$header" ]; then
      packages+=(libdnnl-dev)
    fi ;;
esac
# Tests and scripts make videos with the command.
if [ -n "$tests$scripts" ] && ! have ffmpeg; then packages+=(ffmpeg); fi
# And a PostgreSQL server of their own for a library on several machines; Debian keeps its programs out of the path.
if [ -n "$tests" ] && ! have initdb && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then packages+=(postgresql); fi
# Reads sidecars back; its test does nothing without it.
if [ -n "$tests" ] && ! have exiftool; then packages+=(libimage-exiftool-perl); fi
# Sets the clock of one program; its test does nothing without it.
if [ -n "$tests" ] && ! compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null; then packages+=(libfaketime); fi
# Peers and data come from PyPI; Debian keeps pip and what makes virtual environments apart from Python.
if [ -n "$scripts" ]; then
  if ! have python3 || ! python3 -c 'import ensurepip' 2>/dev/null; then packages+=(python3 python3-venv); fi
  if ! have python3 || ! python3 -c 'import pip' 2>/dev/null; then packages+=(python3-pip); fi
fi

# ---- Install ----
if [ ${#packages[@]} -gt 0 ]; then
  if ! have apt-get; then
    echo "setup: missing: ${packages[*]} (Debian's names). Install them with this system's package manager and run again." >&2
    exit 1
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || { echo "setup: missing: ${packages[*]}. Run as root: apt-get install ${packages[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "setup: installing ${packages[*]}" >&2
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# ---- Check ----
have cargo || { echo "setup: no cargo; install a Rust toolchain from rustup.rs and run again." >&2; exit 1; }
codec=$(pkg-config --modversion libavcodec)
if [ "${codec%%.*}" -lt "$need_ffmpeg_major" ]; then
  echo "setup: libavcodec $codec is too old, expected $need_ffmpeg_major or newer (FFmpeg 5.1)." >&2
  exit 1
fi
