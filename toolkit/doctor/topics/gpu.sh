# shellcheck shell=sh
at driver; cat /proc/driver/nvidia/version
at gpus
if has nvidia-smi; then
  # shellcheck disable=SC2154 # one of the topic's variables
  within 12 nvidia-smi "--query-gpu=$gpu_fields" --format=csv,noheader,nounits 2>&1; echo "status $?"
else
  echo missing
fi
at gpu_nodes
for one in /sys/bus/pci/devices/*; do
  [ "$(cat "$one/vendor")" = 0x10de ] && echo "${one##*/} $(cat "$one/numa_node")"
done
