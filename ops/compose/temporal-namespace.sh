#!/bin/sh
# Makes the namespace and our search attributes when they are missing. TEMPORAL_ADDRESS is read by the CLI itself.
set -eu

# A server that has just started refuses; a namespace that has just been made is unknown for some seconds.
patiently() {
  attempt=0
  until "$@"; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 30 ] || exit 1
    sleep 2
  done
}

patiently temporal operator cluster health

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d

for attribute in CustomerId:Keyword BillingPeriod:Keyword BillingStage:Keyword InvoiceNumber:Keyword NeedsAttention:Bool; do
  # An attribute that exists with this type is left as it is.
  patiently temporal operator search-attribute create \
    --namespace "$TEMPORAL_NAMESPACE" --name "${attribute%%:*}" --type "${attribute##*:}"
done
