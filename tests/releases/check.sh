#!/bin/bash
# check.sh RELEASE [FOLDER]: proves that a bare system of this release installs, builds and generates:
# bookworm, trixie (Debian 12, 13), jammy, noble (Ubuntu 22.04, 24.04). As root, with debootstrap; about 4 GB and a cold
# build, so it is not part of `./sfumato test`. FOLDER keeps the system for another try; without it, it is removed.
set -euo pipefail
repository=$(cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
release=${1:?expected a release: bookworm, trixie, jammy or noble}
case $release in
  bookworm | trixie) mirror=http://deb.debian.org/debian components=main ;;
  jammy | noble) mirror=http://archive.ubuntu.com/ubuntu components=main,universe ;;
  *) echo "release '$release'; expected bookworm, trixie, jammy or noble" >&2; exit 2 ;;
esac
system=${2:-$(mktemp -d)}

leave() {
  local point
  for point in dev proc; do
    ! mountpoint -q "$system/$point" || umount -R "$system/$point"
  done
  [[ -n ${keep:-} ]] || rm -rf --one-file-system -- "$system"
}
keep=${2:-}
trap leave EXIT

[[ -x $system/usr/bin/apt-get ]] ||
  debootstrap --variant=minbase --components="$components" "$release" "$system" "$mirror"
rm -rf "$system/root/sfumato"
git clone -q --depth 1 "file://$repository" "$system/root/sfumato"
mount --rbind /dev "$system/dev"
mount --make-rslave "$system/dev"
mount -t proc proc "$system/proc"
# A network that inspects TLS has its certificate here.
mkdir -p "$system/etc/ssl/certs"
cp -L /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/outer.crt"
cp -L /etc/resolv.conf "$system/etc/resolv.conf"

chroot "$system" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  PIP_CERT=/etc/ssl/certs/outer.crt nice -n "${NICE:-0}" /bin/bash -euc '
    cd /root/sfumato
    ./sfumato txt2img "a cat on a sofa" -o /root/cat.png
    test -s /root/cat.png
    ./sfumato txt2img --from-image /root/cat.png -o /root/again.png
    cmp /root/cat.png /root/again.png || { echo "the same request gave another file" >&2; exit 1; }
    test ! -e /root/.cache/sfumato/build-*/lib/python3*/site-packages/nvidia/cu13/lib/libcublas.so.13
  '
echo "$release: installed, built and generated"
