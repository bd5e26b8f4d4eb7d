// The versions of Kubernetes and Helm, and the programs that `install` builds. It fills in the rest of the modules.
module highwater.dev/testbed

go 1.26.0

tool (
	go.etcd.io/etcd/server/v3
	helm.sh/helm/v4/cmd/helm
	highwater.dev/testbed/coredns
	k8s.io/kubernetes/cmd/kube-apiserver
	k8s.io/kubernetes/cmd/kube-controller-manager
	k8s.io/kubernetes/cmd/kube-proxy
	k8s.io/kubernetes/cmd/kube-scheduler
	k8s.io/kubernetes/cmd/kubectl
	k8s.io/kubernetes/cmd/kubelet
)

require k8s.io/kubernetes v1.36.3
require helm.sh/helm/v4 v4.2.4

// The last whose dependencies are no newer than those of that Kubernetes.
require github.com/coredns/coredns v1.14.1
