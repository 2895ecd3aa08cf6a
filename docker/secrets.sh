#!/bin/sh
# Writes docker/secrets (or the folder that is named): passwords and keys that nobody needs to know, and, from the
# environment, what only you have: GH_TOKEN for GitHub, and the agents' key, e.g. ANTHROPIC_API_KEY. What is there
# already stays.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
cd "$folder"

password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

[ -s redis_password ] || password >redis_password
[ -s flower_password ] || password >flower_password
[ -s hub_key ] || ssh-keygen -q -t ed25519 -N '' -C town -f hub_key
[ -s hub_host_key ] || ssh-keygen -q -t ed25519 -N '' -C hub -f hub_host_key
[ -s hub_known_hosts ] || printf '[hub]:2222 %s\n' "$(cut -d' ' -f1,2 hub_host_key.pub)" >hub_known_hosts
[ -e github_token ] && [ -z "${GH_TOKEN:-}" ] || printf '%s' "${GH_TOKEN:-}" >github_token
if [ ! -e agent_environment ]; then
  : >agent_environment
  for name in ANTHROPIC_API_KEY CLAUDE_CODE_OAUTH_TOKEN OPENAI_API_KEY CODEX_API_KEY GEMINI_API_KEY MISTRAL_API_KEY; do
    value=$(printenv "$name") && printf '%s=%s\n' "$name" "$value" >>agent_environment
  done || true
fi
# The folder is closed; the files in it are mounted one by one, and must be readable for the containers' own user.
chmod 0644 -- *
echo "$folder is ready"
