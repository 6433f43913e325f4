#!/bin/sh
# Make /usr/lib/epics-base from Debian's epics packages and the source of the same version in /src:
# Debian's epics-dev has headers and libraries, and neither makeBaseApp.pl nor the rules to build.
set -eu
cd /usr/lib
rm -rf epics-base
mkdir epics-base
tar -xJf /src/epics-base_*.orig.tar.xz -C epics-base --strip-components=1
cd epics-base
export EPICS_HOST_ARCH=linux-x86_64 LANG=C
make -C configure install
make -C src install
bin=bin/$EPICS_HOST_ARCH
cp -n modules/database/src/tools/*.pl src/tools/*.pl "$bin/"
chmod +x "$bin"/*
mkdir -p lib/perl/DBD lib/perl/EPICS "lib/$EPICS_HOST_ARCH"
cp modules/database/src/tools/DBD.pm lib/perl/
cp modules/database/src/tools/DBD/*.pm lib/perl/DBD/
cp -n src/tools/EPICS/*.pm modules/libcom/src/macLib/EPICS/*.pm lib/perl/EPICS/
for module in database ca; do
    cp -R "modules/$module/src/template/top/." templates/makeBaseApp/top/
done
cp -R /usr/share/epics/dbd .
cp -R /usr/include/epics include
for library in Com ca dbCore dbRecStd; do
    ln -s /usr/lib/x86_64-linux-gnu/lib$library.so* "lib/$EPICS_HOST_ARCH/"
done
g++ -o "$bin/msi" -Iinclude -Iinclude/os/Linux -Iinclude/compiler/gcc \
    modules/database/src/ioc/dbtemplate/msi.cpp -lCom
