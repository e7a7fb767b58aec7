#!/bin/sh
# Fetches the packages that gteway-mini is trained on and measured with, by name, from Debian, and unpacks them.
#
#   training/fetch.sh DIRECTORY      needs apt-get, dpkg-deb and zcat; some 150 MB
#
# Trained on: the first nine, and the descriptions of Debian's packages.
# Held out, whole: dict-jargon, dict-foldoc, dict-devil, gnome-user-docs. See training/README.md for versions and licences.
set -eu
mkdir -p "$1/lists/partial" "$1/debs" "$1/root"
cd "$1"
apt="-q -o Dir::State::Lists=$PWD/lists -o Acquire::Languages=en -o APT::Sandbox::User=root"
[ -f lists/done ] || { apt-get $apt update && touch lists/done; }
for name in wordnet-base dict-gcide dict-de-en dict-freedict-fra-eng dict-freedict-spa-eng edict mythes-en-us \
  cataclysm-dda-data unicode-cldr-core dict-jargon dict-foldoc dict-devil gnome-user-docs; do
  ls debs/${name}_* >/dev/null 2>&1 || (cd debs && apt-get $apt download "$name")
  dpkg-deb -x debs/${name}_*.deb root
done
for list in lists/*Translation-en*; do /usr/lib/apt/apt-helper cat-file "$list"; done >descriptions.txt
for dictionary in root/usr/share/dictd/*.dict.dz; do gzip -dc <"$dictionary" >"$(basename "$dictionary" .dz)"; done
(cd debs && ls) >packages.txt
