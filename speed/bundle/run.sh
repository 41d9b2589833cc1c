#!/bin/sh
# Measures Lacuna on this machine: ./run.sh [RESULTS] [--quick]. It needs x64 Linux, tar, gzip and, for a GPU, its driver.
# Writes JSON files and logs to the folder RESULTS, "results" by default, and takes less than 8 minutes.
set -eu
PATH="$PATH:/usr/bin:/bin:/usr/sbin:/sbin"
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

tar -xzf "$here/lacuna.tar.gz" -C "$work"

# Prints the path of a shared library that the system's loader finds; fails where there is none.
find_library() {
  path=$(ldconfig -p 2>/dev/null | grep -F "	$1 " | grep 'x86-64' | sed -n '1s/.*=> //p')
  if [ -n "$path" ]; then
    echo "$path"
    return 0
  fi
  for folder in $(echo "${LD_LIBRARY_PATH:-}" | tr ':' ' ') /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu /lib64 /usr/lib64 /usr/lib \
    /usr/local/lib /usr/local/nvidia/lib64; do
    if [ -e "$folder/$1" ]; then
      echo "$folder/$1"
      return 0
    fi
  done
  return 1
}
has() { find_library "$1" >/dev/null; }

# What the machine lacks is taken from lib/, where it is there; what the machine has is its own.
mkdir "$work/missing"
lacking=""
for library in libstdc++.so.6 libgcc_s.so.1 \
  libvulkan.so.1 libGLdispatch.so.0 libGL.so.1 libGLX.so.0 libEGL.so.1 libGLESv2.so.2 libOpenGL.so.0; do
  if ! has "$library" && ! [ -e "$here/lib/$library" ]; then lacking="$lacking $library"; fi
done
for file in "$here"/lib/*.so*; do
  if [ -e "$file" ] && ! has "$(basename "$file")"; then ln -s "$file" "$work/missing/"; fi
done
taken=$(ls "$work/missing" | tr '\n' ' ')
if [ -n "$taken" ]; then echo "missing here and taken from $here/lib: $taken"; fi
if [ -n "$lacking" ]; then
  echo "missing here:$lacking"
  echo "Node needs libstdc++6, a GPU libvulkan1, NVIDIA's driver also libglvnd0 libgl1 libglx0 libegl1 libgles2 libopengl0 (packages of Debian); install them or put the files into $here/lib"
fi
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$work/missing"

# Containers often have NVIDIA's libraries without the file that tells Vulkan's loader of them.
if [ -z "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ]; then
  told=$(ls /usr/share/vulkan/icd.d/*nvidia*.json /etc/vulkan/icd.d/*nvidia*.json /usr/local/share/vulkan/icd.d/*nvidia*.json 2>/dev/null |
    sed -n 1p)
  if [ -n "$told" ]; then
    # So that no other driver, such as one that computes on the CPU, answers in its place.
    echo "Vulkan is told of NVIDIA's driver by $told"
    export VK_ICD_FILENAMES="$told"
  elif has libGLX_nvidia.so.0; then
    driver=libGLX_nvidia.so.0
    needed=$(ldd "$(find_library $driver)" 2>/dev/null | sed -n 's/^[[:space:]]*\(.*\) => not found/\1/p' | tr '\n' ' ')
    if [ -n "$needed" ]; then
      echo "$driver needs what is missing: ${needed}(libx11-6 and libxext6 have those of X)"
      # The same driver, which asks for nothing of X.
      if has libEGL_nvidia.so.0; then driver=libEGL_nvidia.so.0; fi
    fi
    echo "no file tells Vulkan of NVIDIA's driver; one that names $driver is written for these measurements"
    echo "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"$driver\", \"api_version\": \"1.3.0\"}}" >"$work/nvidia_icd.json"
    export VK_ICD_FILENAMES="$work/nvidia_icd.json"
  else
    echo "libGLX_nvidia.so.0 is not here: NVIDIA's driver for graphics is missing (in a container: NVIDIA_DRIVER_CAPABILITIES=all); another driver may answer"
  fi
fi
# Drivers keep compiled shaders and sockets there.
export HOME="${HOME:-$work}" XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$work}"

"$work/node" "$work/speed/bundle/measure.mjs" "$@"
