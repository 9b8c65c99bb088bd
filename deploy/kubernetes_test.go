package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// parse parses a manifest into the API's own types, which refuse fields that they
// do not have.
func parse(text string) (namespace corev1.Namespace, set appsv1.DaemonSet, err error) {
	documents := strings.Split(text, "\n---\n")
	if len(documents) != 2 {
		return namespace, set, fmt.Errorf("%d documents", len(documents))
	}
	if err = yaml.UnmarshalStrict([]byte(documents[0]), &namespace); err == nil {
		err = yaml.UnmarshalStrict([]byte(documents[1]), &set)
	}
	return namespace, set, err
}

func TestKubernetes(t *testing.T) {
	text := read(t, "kubernetes/tcpopt.yaml")
	namespace, set, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"hostPID:", "readOnlyRootFilesystem:", "mountPath:", "sizeLimit:"} {
		if _, _, err := parse(strings.Replace(text, word, "x"+word, 1)); err == nil || !strings.Contains(err.Error(), "unknown field") {
			t.Errorf("x%s is accepted: %v", word, err)
		}
	}
	if namespace.Kind != "Namespace" || set.APIVersion != "apps/v1" || set.Kind != "DaemonSet" || set.Namespace != namespace.Name {
		t.Errorf("kinds %s and %s %s, namespaces %s and %s", namespace.Kind, set.APIVersion, set.Kind, namespace.Name, set.Namespace)
	}
	for key, value := range set.Spec.Selector.MatchLabels {
		if set.Spec.Template.Labels[key] != value {
			t.Errorf("the selector wants %s=%s, which the pods do not have", key, value)
		}
	}
	pod := set.Spec.Template.Spec
	if !pod.HostPID || pod.HostNetwork || pod.HostIPC || *pod.AutomountServiceAccountToken {
		t.Error("the pod shares more or less of the host than its processes")
	}
	for _, v := range pod.Volumes {
		if v.EmptyDir == nil {
			t.Errorf("volume %s is not a folder of the pod", v.Name)
		}
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Privileged != nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: %+v", c.Name, s)
		}
		for _, m := range c.VolumeMounts {
			if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
				t.Errorf("%s mounts %s, which is no volume", c.Name, m.Name)
			}
		}
		want := []corev1.Capability{}
		if c.Name == "tcpopt" {
			// As in the systemd unit.
			for _, word := range strings.Fields(settings(t, "systemd/tcpopt-metrics.service")["CapabilityBoundingSet"]) {
				want = append(want, corev1.Capability(strings.TrimPrefix(word, "CAP_")))
			}
		}
		if !slices.Equal(s.Capabilities.Add, want) && len(s.Capabilities.Add)+len(want) > 0 {
			t.Errorf("%s has the capabilities %v, want %v", c.Name, s.Capabilities.Add, want)
		}
	}
}
