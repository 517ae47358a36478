#!/usr/bin/env bash
# Installs what tests/bench/engine.py runs beside us (Debian and Ubuntu): programs by apt,
# img2dataset into build/peers, a virtual environment of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."

sudo=$([ "$(id -u)" = 0 ] || echo sudo)
packages=(nginx curl wget2 aria2 rclone gcc libc6-dev libcurl4-openssl-dev libssl-dev)
dpkg -s "${packages[@]}" >/dev/null 2>&1 ||
  { $sudo apt-get update -q && $sudo apt-get install -qy --no-install-recommends "${packages[@]}"; }

python3 -m venv --clear build/peers
build/peers/bin/pip install -q "img2dataset>=1.47"
NO_ALBUMENTATIONS_UPDATE=1 build/peers/bin/img2dataset --help >/dev/null 2>&1 ||
  { echo "img2dataset does not start: build/peers/bin/img2dataset --help says why"; exit 1; }
