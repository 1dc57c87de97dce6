# The image of the Function package: static programs and nothing else, no shell and no libc.
#
# `dev/package` builds the programs and this image without a container engine (dev/image reads these lines, and
# refuses instructions it does not know). With an engine, once dev/package has left the programs in _out/amd64:
#
#     docker build --file Dockerfile _out/amd64
FROM scratch
LABEL org.opencontainers.image.title="function-odoo" \
      org.opencontainers.image.source="https://git.planapulse.com/plana-pulse/function-odoo" \
      org.opencontainers.image.licenses="Apache-2.0"
# Every program of the image is named here and nowhere else: dev/package builds what these lines copy.
COPY function-odoo /function-odoo
COPY odoo-job /odoo-job
# Crossplane's default runtime insists on a user that is not root, and runs the pod as this one.
USER 2000:2000
# 9443 answers Crossplane (gRPC over mTLS), 8080 has the metrics and the probes.
EXPOSE 9443 8080
ENTRYPOINT ["/function-odoo"]
