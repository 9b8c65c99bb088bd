package census

import (
	"slices"
	"strings"
)

// A Unit is what a process belongs to: a unit of systemd, a container or a pod, as far
// as the name of its control group says. Anyone who may make groups chooses their
// names.
type Unit struct {
	Name      string // of systemd, as in systemctl(1); empty: none
	Container string // its ID, or its name in LXC; empty: none
	Runtime   string // what made the container, such as "docker" or "podman"; empty: unknown
	Pod       string // the UID of a pod of Kubernetes; empty: none
	CGroup    string // the path of the group; it may begin with /.. if it is not below this process's
}

// shortID is how many digits of a container's ID docker ps shows.
const shortID = 12

// Label returns u in one word: pod/UID/ID, docker/ID, the name of a unit of systemd or,
// for any other group, its path. It is empty if there is no group.
func (u *Unit) Label() string {
	switch {
	case u.Container != "":
		return u.kind() + "/" + u.short()
	case u.Pod != "":
		return "pod/" + u.Pod
	case u.Name != "":
		return u.Name
	case u.CGroup != "/":
		return u.CGroup
	}
	return ""
}

// kind is what Label puts before a container.
func (u *Unit) kind() string {
	switch {
	case u.Pod != "":
		return "pod/" + u.Pod
	case u.Runtime != "":
		return u.Runtime
	}
	return "container"
}

func (u *Unit) short() string {
	if isID(u.Container) {
		return u.Container[:shortID]
	}
	return u.Container
}

// is reports whether word names u. It may be a label, the name of a unit with or
// without .service, a container's ID or its first digits, the UID of a pod, or the path
// of a group.
func (u *Unit) is(word string) bool {
	if word == "" {
		return false
	}
	id := strings.TrimPrefix(word, u.kind()+"/")
	return u.Container != "" && (u.Container == id || isID(u.Container) && len(id) >= shortID && strings.HasPrefix(u.Container, id)) ||
		u.Pod != "" && u.Pod == strings.TrimPrefix(word, "pod/") ||
		u.Name == word || u.Name == word+".service" || u.CGroup == word
}

// parseUnit reads the groups of a process, see proc_pid_cgroup(5). A kernel may have
// several trees of groups: containers come first, then systemd.
func parseUnit(text string) Unit {
	var units []Unit
	for _, line := range strings.Split(text, "\n") {
		tree, line, _ := strings.Cut(line, ":")
		controllers, path, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		u := unitOfPath(path)
		if tree == "0" || controllers == "name=systemd" {
			units = slices.Insert(units, 0, u)
		} else {
			units = append(units, u)
		}
	}
	for _, found := range []func(Unit) bool{
		func(u Unit) bool { return u.Container != "" },
		func(u Unit) bool { return u.Pod != "" || u.Name != "" },
		func(u Unit) bool { return u.CGroup != "/" },
	} {
		if i := slices.IndexFunc(units, found); i >= 0 {
			return units[i]
		}
	}
	return Unit{CGroup: "/"}
}

// unitOfPath knows the names that systemd, runc, crun, LXC and the kubelet give to
// groups. A group further down outranks those above it.
func unitOfPath(path string) Unit {
	path = strings.TrimSuffix(path, " (deleted)")
	u := Unit{CGroup: path}
	slice, above := "", ""
	for _, name := range strings.Split(path, "/") {
		// Systemd puts this before a name that looks like a file of the kernel.
		name = strings.TrimPrefix(name, "_")
		if runtime, id, ok := container(name, above); ok {
			u.Container, u.Runtime = id, runtime
		}
		stem, suffix := name, ""
		if i := strings.LastIndexByte(name, '.'); i > 0 {
			stem, suffix = name[:i], name[i:]
		}
		switch suffix {
		case ".service", ".scope", ".socket", ".mount", ".swap":
			u.Name = name
		case ".slice":
			slice = name
			if i := strings.LastIndex(stem, "-pod"); i > 0 && strings.Contains(stem[:i], "kubepods") {
				u.setPod(strings.ReplaceAll(stem[i+len("-pod"):], "_", "-"))
			}
		default:
			if uid, ok := strings.CutPrefix(name, "pod"); ok && strings.Contains(path, "kubepods") {
				u.setPod(uid)
			}
		}
		above = name
	}
	if u.Name == "" {
		u.Name = slice
	}
	return u
}

// setPod sets the pod if uid is one: 32 digits where a file has the pod.
func (u *Unit) setPod(uid string) {
	if digits := strings.ReplaceAll(uid, "-", ""); len(digits) == 32 && isHex(digits) {
		u.Pod = uid
	}
}

// container reports whether a group with this name, below another, is a container's.
// The groups of conmon, which watches a container, are not.
func container(name, above string) (runtime, id string, ok bool) {
	if isID(name) {
		switch above {
		case "docker":
			return "docker", name, true
		case "libpod_parent":
			return "podman", name, true
		}
		return "", name, true
	}
	for _, row := range [...]struct{ prefix, runtime string }{
		{"docker-", "docker"},
		{"libpod-payload-", "podman"},
		{"libpod-", "podman"},
		{"cri-containerd-", "containerd"},
		{"nerdctl-", "containerd"},
		{"crio-", "cri-o"},
	} {
		if id := strings.TrimSuffix(strings.TrimPrefix(name, row.prefix), ".scope"); strings.HasPrefix(name, row.prefix) && isID(id) {
			return row.runtime, id, true
		}
	}
	if id, ok := strings.CutPrefix(name, "lxc.payload."); ok && id != "" {
		return "lxc", id, true
	}
	return "lxc", name, above == "lxc" && name != ""
}

// isID reports whether s is the ID of a container.
func isID(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
