#!/usr/bin/env bash
# Prints the GPUs of this machine in the form that Spark asks for.  Put it on every worker.
set -euo pipefail
addresses=$(nvidia-smi --query-gpu=index --format=csv,noheader | sed 's/.*/"&"/' | paste -sd, -)
printf '{"name": "gpu", "addresses": [%s]}\n' "$addresses"
