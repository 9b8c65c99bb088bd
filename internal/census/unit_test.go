package census

import (
	"strings"
	"testing"
)

const (
	someID  = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
	nextID  = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
	somePod = "ac04f3f2-1f2c-11e9-b015-1ebee232acfa"
)

// TestUnit has the groups that docker, podman, containerd, cri-o, the kubelet, LXC and
// systemd make, in v1 and v2, with cgroupfs and with systemd.
func TestUnit(t *testing.T) {
	pod := strings.ReplaceAll(somePod, "-", "_")
	for _, tt := range []struct {
		name, text string
		want       Unit
		label      string
	}{
		{"nothing", "", Unit{CGroup: "/"}, ""},
		{"no unit", "0::/\n", Unit{CGroup: "/"}, ""},
		{"no tree of v2 nor systemd's", "3:cpu:/\n", Unit{CGroup: "/"}, ""},
		{"service", "0::/system.slice/nginx.service\n", Unit{Name: "nginx.service", CGroup: "/system.slice/nginx.service"}, "nginx.service"},
		{"group in a service", "0::/system.slice/a.service/payload\n", Unit{Name: "a.service", CGroup: "/system.slice/a.service/payload"}, "a.service"},
		{"escaped name", `0::/system.slice/system-a\x2db.slice/a\x2db@x.service` + "\n",
			Unit{Name: `a\x2db@x.service`, CGroup: `/system.slice/system-a\x2db.slice/a\x2db@x.service`}, `a\x2db@x.service`},
		{"name like a file of the kernel's", "0::/system.slice/_cpu.weight.service\n", Unit{Name: "cpu.weight.service", CGroup: "/system.slice/_cpu.weight.service"}, "cpu.weight.service"},
		{"colons", "0::/system.slice/a:b.service\n", Unit{Name: "a:b.service", CGroup: "/system.slice/a:b.service"}, "a:b.service"},
		{"session", "0::/user.slice/user-1000.slice/session-3.scope\n", Unit{Name: "session-3.scope", CGroup: "/user.slice/user-1000.slice/session-3.scope"}, "session-3.scope"},
		{"service of a user", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service\n",
			Unit{Name: "foo.service", CGroup: "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service"}, "foo.service"},
		{"slice alone", "0::/user.slice/user-1000.slice\n", Unit{Name: "user-1000.slice", CGroup: "/user.slice/user-1000.slice"}, "user-1000.slice"},
		{"unit above that of this process", "0::/../b.service\n", Unit{Name: "b.service", CGroup: "/../b.service"}, "b.service"},
		{"v1 with systemd", "4:memory:/user.slice\n1:name=systemd:/system.slice/a.service\n", Unit{Name: "a.service", CGroup: "/system.slice/a.service"}, "a.service"},
		{"v1 and v2", "4:memory:/jobs/7\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n", Unit{Name: "a.service", CGroup: "/system.slice/a.service"}, "a.service"},
		{"group of nobody known", "4:memory:/jobs/7\n1:name=systemd:/\n0::/\n", Unit{CGroup: "/jobs/7"}, "/jobs/7"},
		{"docker, cgroupfs", "4:memory:/docker/" + someID + "\n1:name=systemd:/docker/" + someID + "\n",
			Unit{Container: someID, Runtime: "docker", CGroup: "/docker/" + someID}, "docker/4f797c539e6c"},
		{"docker, systemd", "0::/system.slice/docker-" + someID + ".scope\n",
			Unit{Name: "docker-" + someID + ".scope", Container: someID, Runtime: "docker", CGroup: "/system.slice/docker-" + someID + ".scope"}, "docker/4f797c539e6c"},
		{"container that only one tree of v1 knows", "4:memory:/docker/" + someID + "\n1:name=systemd:/system.slice/docker.service\n0::/\n",
			Unit{Container: someID, Runtime: "docker", CGroup: "/docker/" + someID}, "docker/4f797c539e6c"},
		{"docker in docker", "0::/docker/" + someID + "/docker/" + nextID + "\n",
			Unit{Container: nextID, Runtime: "docker", CGroup: "/docker/" + someID + "/docker/" + nextID}, "docker/9ec39b91f3d7"},
		{"systemd in docker", "0::/docker/" + someID + "/system.slice/nginx.service\n",
			Unit{Name: "nginx.service", Container: someID, Runtime: "docker", CGroup: "/docker/" + someID + "/system.slice/nginx.service"}, "docker/4f797c539e6c"},
		{"who knows whose", "0::/" + someID + "\n", Unit{Container: someID, CGroup: "/" + someID}, "container/4f797c539e6c"},
		{"podman", "0::/machine.slice/libpod-" + someID + ".scope/container\n",
			Unit{Name: "libpod-" + someID + ".scope", Container: someID, Runtime: "podman", CGroup: "/machine.slice/libpod-" + someID + ".scope/container"}, "podman/4f797c539e6c"},
		{"podman, split", "0::/system.slice/web.service/libpod-payload-" + someID + "\n",
			Unit{Name: "web.service", Container: someID, Runtime: "podman", CGroup: "/system.slice/web.service/libpod-payload-" + someID}, "podman/4f797c539e6c"},
		{"conmon of podman", "0::/machine.slice/libpod-conmon-" + someID + ".scope\n",
			Unit{Name: "libpod-conmon-" + someID + ".scope", CGroup: "/machine.slice/libpod-conmon-" + someID + ".scope"}, "libpod-conmon-" + someID + ".scope"},
		{"pod, cgroupfs", "0::/kubepods/burstable/pod" + somePod + "/" + someID + "\n",
			Unit{Container: someID, Pod: somePod, CGroup: "/kubepods/burstable/pod" + somePod + "/" + someID}, "pod/" + somePod + "/4f797c539e6c"},
		{"pod, systemd", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + pod + ".slice/cri-containerd-" + someID + ".scope\n",
			Unit{Name: "cri-containerd-" + someID + ".scope", Container: someID, Runtime: "containerd", Pod: somePod,
				CGroup: "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + pod + ".slice/cri-containerd-" + someID + ".scope"}, "pod/" + somePod + "/4f797c539e6c"},
		{"guaranteed pod, cri-o", "0::/kubepods.slice/kubepods-pod" + pod + ".slice/crio-" + someID + ".scope/container\n",
			Unit{Name: "crio-" + someID + ".scope", Container: someID, Runtime: "cri-o", Pod: somePod,
				CGroup: "/kubepods.slice/kubepods-pod" + pod + ".slice/crio-" + someID + ".scope/container"}, "pod/" + somePod + "/4f797c539e6c"},
		{"pod whose container is not seen", "0::/kubepods.slice/kubepods-pod" + pod + ".slice\n",
			Unit{Name: "kubepods-pod" + pod + ".slice", Pod: somePod, CGroup: "/kubepods.slice/kubepods-pod" + pod + ".slice"}, "pod/" + somePod},
		{"pod that is none", "0::/kubepods/podman\n", Unit{CGroup: "/kubepods/podman"}, "/kubepods/podman"},
		{"LXC", "0::/lxc.payload.web/system.slice/ssh.service\n",
			Unit{Name: "ssh.service", Container: "web", Runtime: "lxc", CGroup: "/lxc.payload.web/system.slice/ssh.service"}, "lxc/web"},
		{"LXC of v1", "4:memory:/lxc/web\n", Unit{Container: "web", Runtime: "lxc", CGroup: "/lxc/web"}, "lxc/web"},
		{"LXC's watcher", "0::/lxc.monitor.web\n", Unit{CGroup: "/lxc.monitor.web"}, "/lxc.monitor.web"},
		{"group that is gone", "0::/system.slice/a.service (deleted)\n", Unit{Name: "a.service", CGroup: "/system.slice/a.service"}, "a.service"},
		{"no lines of groups", "x\n1\n::\n", Unit{CGroup: ""}, ""},
	} {
		u := parseUnit(tt.text)
		if u != tt.want || u.Label() != tt.label {
			t.Errorf("%s: %+v, label %q, want %+v, %q", tt.name, u, u.Label(), tt.want, tt.label)
		}
		if tt.label != "" && !u.is(tt.label) {
			t.Errorf("%s: its label is not its name", tt.name)
		}
		for _, word := range []string{"", "/", ".service", "docker", "container", "pod", "pod/", "4f797c539e6"} {
			if u.is(word) && u.CGroup != word {
				t.Errorf("%s: it is %q", tt.name, word)
			}
		}
	}
}

func TestUnitIs(t *testing.T) {
	u := Unit{Name: "a.service", Container: someID, Runtime: "docker", Pod: somePod, CGroup: "/x"}
	for _, word := range []string{"a", "a.service", someID, someID[:12], someID[:40], somePod, "pod/" + somePod, "/x"} {
		if !u.is(word) {
			t.Errorf("it is not %q", word)
		}
	}
	for _, word := range []string{"b", "A.service", someID[:11], someID[1:], someID + "0", nextID, somePod[:35], "/", "/x/"} {
		if u.is(word) {
			t.Errorf("it is %q", word)
		}
	}
}

func FuzzUnit(f *testing.F) {
	f.Add("0::/kubepods.slice/kubepods-pod" + somePod + ".slice/crio-" + someID + ".scope\n1:name=systemd:/_a.service/lxc/b (deleted)")
	f.Fuzz(func(t *testing.T, text string) {
		u := parseUnit(text)
		if label := u.Label(); label != "" && !u.is(label) {
			t.Errorf("%q: %+v is not %q", text, u, label)
		}
	})
}
