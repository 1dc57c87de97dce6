module function-odoo/dev/tools/gateway-api

go 1.26.0

// Only its definitions of kinds are used, nothing is built.
require sigs.k8s.io/gateway-api v1.6.1
