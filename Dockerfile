# Two stages: build with the locked dependencies, run as nobody with nothing else in the image.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock rustfmt.toml clippy.toml ./
COPY src ./src
COPY tools/keel_tools ./tools/keel_tools
COPY tools/config ./tools/config
COPY benches ./benches
RUN cargo build --release --locked --bin keel && strip target/release/keel

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/keel /usr/local/bin/keel
# No secrets, no shell. Mount the configuration and the session key read-only, and a folder for the journal.
USER nonroot
WORKDIR /var/lib/keel
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/keel"]
CMD ["demo", "--seconds", "60"]
