//! One LagMonitor at work: observe, remember, judge, post. Knows no Kubernetes.
