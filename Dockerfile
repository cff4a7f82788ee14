# syntax=docker/dockerfile:1

# One image for all roles: docker build -t jetmon . && docker run --rm jetmon version
# deploy/README.md says how to run a fleet of it; docs/design/0039-containers.md why it is as it is.

ARG GO_VERSION=1.26.8
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-trixie AS build
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false"
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
# Everything is here now: the build itself has no network.
RUN --network=none --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS="$TARGETOS" GOARCH="$TARGETARCH" go build -ldflags="-s -w -X main.release=$VERSION" -o /image/usr/bin/jetmon ./cmd/jetmon
# What the binary does not bring along: the authorities of the web, and a name for its user.
# Time zones are in it.
RUN --network=none mkdir -p /image/etc/ssl/certs /image/usr/share/doc/jetmon /state \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp LICENSE /image/usr/share/doc/jetmon/ \
    && echo "jetmon:x:65532:65532:jetmon:/var/lib/jetmon:/usr/sbin/nologin" >/image/etc/passwd \
    && echo "jetmon:x:65532:" >/image/etc/group

FROM scratch
COPY --from=build /image/ /
# A volume that is mounted here belongs to the user, too.
COPY --from=build --chown=65532:65532 /state /var/lib/jetmon
ARG VERSION=devel
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="jetmon" \
      org.opencontainers.image.description="Monitors web sites: coordinator, checker, veriflier and gateway in one binary" \
      org.opencontainers.image.source="https://github.com/Automattic/jetmon" \
      org.opencontainers.image.documentation="https://github.com/Automattic/jetmon/blob/main/deploy/README.md" \
      org.opencontainers.image.licenses="GPL-2.0-or-later" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
# jetmon ready reads the same variable as the role.
ENV HOME=/var/lib/jetmon JETMON_DEBUG_LISTEN=127.0.0.1:6060
USER 65532:65532
WORKDIR /var/lib/jetmon
EXPOSE 7800 7801 7802
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=1m --start-interval=1s --retries=3 CMD ["/usr/bin/jetmon", "ready"]
ENTRYPOINT ["/usr/bin/jetmon"]
CMD ["--help"]
