#!/bin/sh
# build.sh OUT: writes OUT/jetmon_VERSION_ARCH.deb and prints its name. The same commit gives the
# same bytes. From the environment: VERSION and SOURCE_DATE_EPOCH, by default those of the
# commit; ARCH, by default this machine's.
set -eu
umask 022
cd "$(dirname "$0")/../.."
out=$1
export TZ=UTC LC_ALL=C
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
ARCH=${ARCH:-$(go env GOARCH)}
if [ -z "${VERSION:-}" ]; then
    # v2.1.0 is 2.1.0, three commits later 2.1.0+3.g8783668a; without a tag, the commit's time.
    if tag=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
        VERSION=$(echo "${tag#v}" | sed 's/-\([0-9]*\)-g/+\1.g/; s/-/~/g')
    else
        VERSION=0.0.0+$(git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd.g%h)
    fi
fi
VERSION=${VERSION#v}
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT
export SOURCE_DATE_EPOCH ARCH VERSION STAGE

# compile makes the program for an architecture.
compile() { CGO_ENABLED=0 GOARCH=$1 go build -trimpath -ldflags="-s -w -buildid= -X main.release=v$VERSION" -o "$2" ./cmd/jetmon; }
compile "$ARCH" "$STAGE/jetmon"
here=$STAGE/jetmon
if [ "$ARCH" != "$(go env GOHOSTARCH)" ]; then
    here=$STAGE/here
    compile "$(go env GOHOSTARCH)" "$here"
fi

mkdir "$STAGE/completion"
"$here" completion bash >"$STAGE/completion/jetmon"
"$here" completion zsh >"$STAGE/completion/_jetmon"
"$here" completion fish >"$STAGE/completion/jetmon.fish"
"$here" man --dir "$STAGE/man"
day=$(date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
sed -i "1s/ [0-9]\{4\}-[0-9][0-9]-[0-9][0-9] / $day /" "$STAGE"/man/*.1
gzip -9n "$STAGE"/man/*.1
gzip -9n >"$STAGE/changelog.gz" <<END
jetmon ($VERSION) unstable; urgency=medium

  * Built from $(git rev-parse --short HEAD): its log has the changes.

 -- Jetmon's maintainers <jetmon@automattic.com>  $(date -R -d "@$SOURCE_DATE_EPOCH")
END
find "$STAGE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
deb=$out/jetmon_${VERSION}_$ARCH.deb
go tool -modfile=tools/nfpm/go.mod nfpm package --config deploy/debian/nfpm.yaml --packager deb --target "$deb" >"$STAGE/log" || { cat "$STAGE/log" >&2; exit 1; }
echo "$deb"
