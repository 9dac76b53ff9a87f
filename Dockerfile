# One image with all of Parley's executables; the command chooses the service. `docker compose up` builds and runs it.

# Speech models and ONNX Runtime: they change seldom, so they do not depend on the sources.
FROM debian:bookworm-slim AS models
# Debian's stable release moves only for security; pinned versions would vanish from its mirrors.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY deploy/fetch-models deploy/fetch-models
COPY deploy/models deploy/models
RUN deploy/fetch-models /models

FROM swift:6.3-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        pkg-config libssl-dev libcurl4-openssl-dev libhiredis-dev libpq-dev libopus-dev libspeexdsp-dev \
        flite1-dev libespeak-ng-dev libpocketsphinx-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
# The manifest names the test targets, so their folders must be there; nothing in them is compiled.
COPY Tests Tests
# All at once, since SwiftPM compiles shared modules anew for each product asked for alone. The cache keeps what was compiled from one build of the
# image to the next.
RUN --mount=type=cache,target=/src/.build \
    swift build -c release --static-swift-stdlib \
    && mkdir -p /out \
    && for program in dispatcher media-worker session-store archiver parley; do \
        strip -o "/out/$program" ".build/release/$program" || exit 1; \
    done

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates curl libpq5 libhiredis0.14 libcurl4 libopus0 libspeexdsp1 libssl3 libgomp1 libstdc++6 \
        libflite1 libespeak-ng1 espeak-ng-data libpocketsphinx3 libsphinxbase3 pocketsphinx-en-us \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 parley \
    && useradd --system --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin parley \
    # A new volume mounted here belongs to the service's user: the API key of the demo is written to it.
    && install -d -o parley -g parley -m 0700 /keys
# Laid out like a checkout, where every default of the executables holds.
WORKDIR /opt/parley
COPY --from=models /models .local/models
COPY migrations migrations
COPY agents agents
COPY --from=build /out /usr/local/bin
USER 10001:10001
CMD ["parley", "--help"]
