# One image with all of Parley's executables; the command chooses the service.
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        libpq-dev libhiredis-dev libcurl4-openssl-dev libopus-dev libspeexdsp-dev libssl-dev \
        flite1-dev libespeak-ng-dev libpocketsphinx-dev libsphinxbase-dev pkg-config python3 python3-pip unzip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY deploy deploy
RUN ./deploy/fetch-models /models
RUN --mount=type=cache,target=/src/.build \
    swift build -c release --static-swift-stdlib --product dispatcher \
    && swift build -c release --static-swift-stdlib --product media-worker \
    && swift build -c release --static-swift-stdlib --product session-store \
    && swift build -c release --static-swift-stdlib --product archiver \
    && swift build -c release --static-swift-stdlib --product parley \
    && mkdir -p /out \
    && for p in dispatcher media-worker session-store archiver parley; do cp ".build/release/$p" /out/ && strip "/out/$p"; done

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates curl libpq5 libhiredis0.14 libcurl4 libopus0 libspeexdsp1 libssl3 libgomp1 libstdc++6 \
        libflite1 libespeak-ng1 espeak-ng-data libpocketsphinx3 libsphinxbase3 pocketsphinx-en-us \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home /nonexistent --shell /usr/sbin/nologin parley
COPY --from=build /models /opt/parley/models
COPY --from=build /out /usr/local/bin
COPY migrations /opt/parley/migrations
COPY agents /opt/parley/agents
ENV PARLEY_MODELS_DIR=/opt/parley/models PARLEY_MIGRATIONS_DIR=/opt/parley/migrations
USER 10001
CMD ["parley", "--help"]
