#!/usr/bin/env bash
# A real SLURM of one node on this machine, for as long as one command runs. Without a command it is
# the smoke preset through experiments/profiles/slurm: every job is submitted, queued and run by
# SLURM, and the records lie in a folder that is removed at the end.
#
#   apt install slurm-wlm munge
#   bash experiments/slurm_here.sh
#   bash experiments/slurm_here.sh srun hostname
#
# slurmctld, slurmd and munged run as the current user and listen on loopback. Their keys,
# settings, state and logs are in a temporary folder. Nothing is left running, and nothing of an
# installed SLURM is read or changed. Needs no systemd and no cgroups.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin # where Debian has the daemons

fail() {
    echo "slurm_here: $*" >&2
    exit 1
}

for program in munged slurmctld slurmd srun; do
    command -v "$program" >/dev/null || fail "$program is missing: apt install slurm-wlm munge"
done
if [ $# -eq 0 ]; then
    command -v snakemake >/dev/null || fail "snakemake is missing: source .venv/bin/activate"
    "$(dirname "$(command -v snakemake)")/python" -c 'import snakemake_executor_plugin_slurm' \
        2>/dev/null || fail "a plugin is missing: pip install -e '.[slurm]' -c constraints.txt"
fi

folder=$(mktemp -d)
daemons=()
tell=yes # the daemons' last words, should it fail
node=$(uname -n)
node=${node%%.*}

# Ends what was started, the latest first; tells what the daemons said if something failed.
finish() {
    local status=$?
    trap - EXIT
    set +e
    if [ "${#daemons[@]}" -gt 1 ] && squeue >/dev/null 2>&1; then
        scancel --full --user="$(id -un)" 2>/dev/null
        for _ in $(seq 20); do
            [ -z "$(squeue --noheader --states=R,CG,PD 2>/dev/null)" ] && break
            sleep 1
        done
    fi
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
        kill "${daemons[i]}" 2>/dev/null
        wait "${daemons[i]}" 2>/dev/null
    done
    if [ "$status" -ne 0 ] && [ -n "$tell" ]; then
        find "$folder" \( -name '*.out.log' -o -path '*/slurm_logs/*.log' \) \
            -exec tail -v -n 30 {} + >&2
    fi
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits up to 30 s until a command succeeds, while the daemon started last is alive.
await() {
    local what=$1
    shift
    for _ in $(seq 60); do
        "$@" >/dev/null 2>&1 && return
        kill -0 "${daemons[-1]}" 2>/dev/null || fail "$what ended early"
        sleep 0.5
    done
    fail "$what did not answer within 30 s"
}

free_ports() {
    python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in held))'
}

idle() { [ "$(sinfo --noheader --format=%t)" = idle ]; }

read -r control_port node_port < <(free_ports)
memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
chmod 711 "$folder" # munged wants its socket to be reachable
mkdir "$folder/state" "$folder/spool" "$folder/work" "$folder/bin"
(umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")

cat >"$folder/slurm.conf" <<CONF
ClusterName=here
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$control_port
SlurmdPort=$node_port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# without systemd, cgroups or a database of accounts
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/completed
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory
PartitionName=here Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
# cgroups are not used; but slurmd looks for their newer kind, and for systemd, unless told not to
release=$(slurmctld -V | grep -oE '[0-9]+' | head -n 1)
plugin=disabled
((release >= 23)) || plugin=cgroup/v1 # which touches nothing as long as nobody asks
echo "CgroupPlugin=$plugin" >"$folder/cgroup.conf"
export SLURM_CONF=$folder/slurm.conf
# Snakemake's plugin hides SLURM_CONF from srun within a job; a cluster has its settings in /etc
printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" \
    >"$folder/bin/srun"
chmod +x "$folder/bin/srun"
export PATH=$folder/bin:$PATH

# each in a session of its own, so that Ctrl-C ends the jobs before the daemons
echo "slurm_here: starting munged, slurmctld and slurmd ($(slurmctld -V))"
setsid munged --foreground --num-threads=2 --socket="$folder/munge.socket" \
    --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
    --seed-file="$folder/munged.seed" --log-file="$folder/munged.log" \
    >>"$folder/munged.out.log" 2>&1 &
daemons+=($!)
await munged test -S "$folder/munge.socket"
setsid slurmctld -D -i >>"$folder/slurmctld.out.log" 2>&1 &
daemons+=($!)
await slurmctld scontrol ping
setsid slurmd -D -N "$node" >>"$folder/slurmd.out.log" 2>&1 &
daemons+=($!)
await slurmd idle
sinfo

if [ $# -gt 0 ]; then
    tell=
    "$@"
    exit
fi

# The profile as a cluster would use it, but for what one small node has to have said: squeue, as
# there are no accounts; two cores for the crowds; states asked for every few seconds.
cores=$(nproc)
cd "$repository"
export SPARSE_AE_CACHE=$folder/cache
snakemake -s experiments/Snakefile --profile experiments/profiles/slurm \
    --directory "$folder/work" --config preset=smoke "root=$folder/results" \
    --set-threads "crowds=$((cores < 2 ? cores : 2))" \
    --set-resources crowds:mem_mb=1000 run:mem_mb=1000 crowds:runtime=10 run:runtime=10 \
    --slurm-status-command squeue \
    --slurm-init-seconds-before-status-checks 5 \
    --seconds-between-status-checks 5 --latency-wait 10

echo
echo "slurm_here: the jobs, as SLURM tells of them"
squeue --states=all --format='%.6i %.9P %.10T %.8M %.4C %.8m %N %k'
scontrol show job | grep -E 'JobId|JobState|RunTime|BatchHost|TRES=|Comment|ExitCode'
echo
echo "slurm_here: what SLURM wrote down when each ended"
cat "$folder/completed"
echo
echo "slurm_here: the records"
find "$folder/results" -name '*.json' -printf '%P\n' | sort
