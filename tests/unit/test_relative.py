"""Which commands would run a file of the folder that they are started in."""

from __future__ import annotations

import shlex

import pytest

from tinytown.agents.drivers.custom import CustomDriver
from tinytown.agents.relative import absolute, fault, variables
from tinytown.errors import ConfigurationError
from tinytown.settings import AgentCliSettings

INTO_THE_CLONE = """
flock /tmp/lock python3 agent.py
setpriv --reuid 1000 --clear-groups python3 agent.py
prlimit --nofile=64 python3 agent.py
tini -- python3 -m agent
doppler run -- sh -c 'exec python3 agent.py'
aws-vault exec me -- node agent.js
conda run -n env python agent.py
proxychains4 -f /etc/proxies.conf python3 agent.py
strace -f -o /tmp/trace python3 agent.py
tclsh agent.tcl
./agent
tools/agent --brief {prompt_file}
~/bin/agent
python3 tools/agent.py
python3 agent.py {prompt_file}
python3 -u -W ignore tools/agent.py
/usr/bin/python3.12 -m agent
python3 -Sm agent
python3 -magent
python -c 'import agent'
node tools/agent.js
node -r ./hook.js /opt/agent.js
node --require hook /opt/agent.js
node --import=./hook.mjs /opt/agent.js
node -e 'require("agent")'
node --env-file-if-exists=.env /opt/agent.js
node --experimental-config-file=node.config.json /opt/agent.js
node --experimental-default-config-file /opt/agent.js
perl run
php task
perl -Mlib=lib /opt/agent.pl
perl '-Mlib qw(lib)' /opt/agent.pl
perl -Mlib=/opt/lib,lib /opt/agent.pl
lua -lagent /opt/agent.lua
lua -l agent /opt/agent.lua
Rscript /opt/agent.R
ipython /opt/agent.py
python3.13t -m agent
python3-dbg agent.py
unshare --wd=tools /opt/agent
systemd-run --working-directory=tools /opt/agent
bun run agent
bun agent.ts
deno task agent
ruby -Ilib /opt/agent.rb
ruby agent.rb
perl lib/agent.pl
php agent.php
sh run.sh
bash -eu tools/run.sh
bash --rcfile x /opt/run.sh
sh -c './agent {prompt_file}'
sh -c 'cat {prompt_file} | python3 -m agent'
sh -c 'cd src && node agent.js'
bash -lc '. ./env && agent'
bash -c 'X=1 tools/agent'
npx agent
npm exec agent
pnpm agent
yarn agent
bunx agent
uv run agent
uvx agent
poetry run agent
pipenv run agent
hatch run agent
make agent
just agent
bundle exec agent
rake agent
cargo run
go run .
mise exec -- agent
java -cp . Agent
java Agent
java -jar build/agent.jar
java -cp /opt/a.jar:lib Agent
java @options Agent
env python3 tools/agent.py
env -C tools /opt/agent
env --chdir=tools /opt/agent
env PATH=./bin agent
env PYTHONPATH=lib agent
env -S 'python3 agent.py'
/usr/bin/env -i ./agent
nice -n 5 ./agent
nice -n5 python3 -m agent
timeout 60 sh run.sh
timeout -k 5 60 ./agent
stdbuf -oL tools/agent
nohup npx agent
setsid env FOO=1 node agent.js
xargs ./agent
scribe --plugin ./plugin.js
scribe --config=../scribe.toml
git -c 'alias.x=!sh run.sh' x
git x
git -C tools status
git config alias.x '!sh run.sh'
git submodule foreach ./run
git bisect run ./agent
git rebase -x ./agent main
sh -c 'git -c core.fsmonitor=./agent status'
gdb --args scribe
awk -f agent.awk
gawk -fagent.awk
sed -n -f agent.sed
jq --from-file agent.jq
psql --file=agent.sql
/lib64/ld-linux-x86-64.so.2 agent
/lib64/ld-linux-x86-64.so.2 --preload hook.so /opt/agent
ld.so --library-path lib /opt/agent
qemu-x86_64 agent
docker run --rm -v .:/work -w /work image python3 agent.py
podman run -w /work image sh -c 'python3 agent.py'
docker run --rm image make agent
docker run -v ./lib:/lib image scribe
find . -name agent.py -exec python3 agent.py ;
find . -name agent.sh -exec sh agent.sh {} +
find . -perm -1 -exec {} ;
fd -x {}
su -c 'python3 agent.py' me
su me -c ./agent
runuser -u me -- python3 agent.py
sudo -u me python3 agent.py
sudo -u me sh -c 'node agent.js'
chroot /srv python3 agent.py
parallel 'sh run.sh' ::: a
parallel sh run.sh ::: a
watch 'python3 agent.py'
watch -n 5 python3 agent.py
script -qc 'python3 agent.py' /dev/null
script -c ./agent
expect agent.exp
emacs --script agent.el
emacs --batch -l agent.el
sbcl --script agent.lisp
runghc agent.hs
vim -es -S agent.vim
nvim -l agent.lua
coverage run agent.py
coverage run /opt/agent.py
perl -e 'do "./agent.pl"'
perl -e 'require "agent.pl"'
lua -e 'dofile("agent.lua")'
php -r 'include "agent.php";'
tmux new-session 'python3 agent.py'
pyenv exec python agent.py
valgrind -q python3 agent.py
xargs -n 1 sh run.sh
direnv exec . agent
nix run
""".strip().splitlines()

ELSEWHERE = """
emacs --batch -Q --script /opt/agent.el
sbcl --script /opt/agent.lisp
runghc /opt/agent.hs
vim -es -S /opt/agent.vim
nvim -l /opt/agent.lua
flock -w 5 /tmp/lock python3 /opt/agent.py
setpriv --reuid 1000 --clear-groups /opt/agent
doppler run -- /opt/agent --brief {prompt_file}
conda run -n env python /opt/agent.py
scribe --quiet -- {prompt}
scribe --language python --brief {prompt_file}
scribe
/usr/local/bin/scribe --brief {prompt_file}
scribe -C . --prompt {prompt}
scribe "Your task is in the file {prompt_file}. Read all of it first."
scribe run --model vendor/model
python3 /opt/agent.py
python3 -S -W ignore /opt/agent.py {prompt_file}
python3 -I -m agent
python3 -Im agent
python3 -P -m agent
node /opt/agent.js run
node --max-old-space-size=4096 /opt/agent.js
bash /opt/run.sh make
sh -c 'cat {prompt_file} | scribe --stdin'
sh -c 'exec scribe < {prompt_file}'
env SCRIBE=1 PATH=/opt/bin:/usr/bin scribe
env -u FOO /opt/scribe
nice -n 5 scribe
timeout 600 scribe
java -jar /opt/agent.jar
java -cp /opt/a.jar:/opt/b.jar Agent
perl /opt/agent.pl
perl -Mstrict -w -Mlib=/opt/lib -I/opt/more /opt/agent.pl
Rscript --vanilla /opt/agent.R
ipython --ignore-cwd /opt/agent.py
ruby -w /opt/agent.rb
docker run --rm -i image scribe
docker run --rm -i -w /work image scribe --brief {prompt_file}
docker run --rm -i node:22 scribe
docker exec -i box python3 /opt/agent.py
sh -c 'scribe -p < {prompt_file} && git add -A && git commit -qm done'
git status
sh -c 'docker run --rm -i -v "$PWD:/work" -w /work image scribe -p'
ssh host scribe
su me -c scribe
script -qec 'scribe --brief {prompt_file}' /dev/null
awk -f /opt/agent.awk
awk '{print}' {prompt_file}
sed -n p
perl -e 'print "VERDICT: APPROVE"'
/lib64/ld-linux-x86-64.so.2 --library-path /opt/lib /opt/agent
claude -p
bash -c 'llm < {prompt_file}'
sudo -u me scribe --print
tmux new-session scribe
scribe --allow git --allow make --tools node
""".strip().splitlines()


@pytest.mark.parametrize("command", INTO_THE_CLONE)
def test_a_command_that_runs_a_file_of_its_folder_is_refused(command: str) -> None:
    assert fault(shlex.split(command))
    with pytest.raises(ConfigurationError) as caught:
        CustomDriver("scribe", AgentCliSettings(command=command))
    assert "agent_clis.scribe.command" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("command", ELSEWHERE)
def test_any_other_is_not(command: str) -> None:
    assert fault(shlex.split(command)) == ""
    assert CustomDriver("scribe", AgentCliSettings(command=command)).executable()


@pytest.mark.parametrize(
    "env",
    [
        {"PATH": "./bin:/usr/bin"},
        {"PATH": "/usr/bin:"},
        {"PATH": "bin"},
        {"PYTHONPATH": "."},
        {"NODE_OPTIONS": "--require ./hook.js"},
        {"NODE_OPTIONS": "--import=hook"},
        {"PERL5OPT": "-Mlib=lib"},
        {"RUBYOPT": "-w -Ilib"},
        {"RUBYOPT": "-rhook"},
        {"LD_PRELOAD": "lib.so"},
        {"BASH_ENV": "env.sh"},
        {"HOME": "home"},
    ],
)
def test_a_variable_with_a_relative_folder_is_refused(env: dict[str, str]) -> None:
    assert variables(env)
    with pytest.raises(ConfigurationError):
        CustomDriver("scribe", AgentCliSettings(command="scribe", env=env))


@pytest.mark.parametrize(
    "env",
    [
        {"PERL5OPT": "-Mstrict -w"},
        {"PATH": "/opt/bin:/usr/bin"},
        {"NODE_OPTIONS": "--max-old-space-size=4096"},
        {"MODEL": "a/b"},
        {"PATH": ""},
    ],
)
def test_other_variables_are_not(env: dict[str, str]) -> None:
    assert variables(env) == ""


def test_what_setups_may_have_agents_do_not() -> None:
    env = {"PATH": "./bin:/usr/bin:", "PYTHONPATH": "src", "NODE_PATH": "/opt/lib:lib", "MODEL": "a:b"}
    assert absolute(env) == {"PATH": "/usr/bin", "PYTHONPATH": "", "NODE_PATH": "/opt/lib", "MODEL": "a:b"}
