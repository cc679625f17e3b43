#!/bin/sh
# Makes the root file system of the base image: make.sh DIRECTORY TARBALL. Needs root and debootstrap.
set -eu
root=$1 tarball=$2 suite=bookworm

debootstrap --variant=minbase --include=ca-certificates "$suite" "$root"

# The mirror that debootstrap chose holds the security archive as well.
sed -n "s|^deb \(.*\)/debian/\{0,1\} $suite main|deb \1/debian-security $suite-security main|p" \
    "$root/etc/apt/sources.list" >>"$root/etc/apt/sources.list"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # packages start nothing
chmod 755 "$root/usr/sbin/policy-rc.d"
chroot "$root" sh -c 'apt-get update -q && apt-get upgrade -qy && apt-get clean'

find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/* \
    "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/usr/share/info/* \
    "$root"/etc/hostname "$root"/etc/resolv.conf "$root"/etc/machine-id
tar --numeric-owner --one-file-system -C "$root" -cf "$tarball" .
