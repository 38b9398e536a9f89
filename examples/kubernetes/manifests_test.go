package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// manifests are the files in the directory, as the API server reads them: an
// unknown field is an error.
type manifests struct {
	service corev1.Service
	set     appsv1.StatefulSet
	pdb     policyv1.PodDisruptionBudget
	network networkingv1.NetworkPolicy
}

func read(t *testing.T) *manifests {
	t.Helper()
	m := &manifests{}
	known := map[string]any{"service.yaml": &m.service, "statefulset.yaml": &m.set, "pdb.yaml": &m.pdb, "networkpolicy.yaml": &m.network}
	entries, err := os.ReadDir("manifests")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(known) {
		t.Errorf("%d files, %d are checked", len(entries), len(known))
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join("manifests", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		into := known[e.Name()]
		if into == nil {
			t.Errorf("%s is checked by nothing", e.Name())
			continue
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
		want := reflect.TypeOf(into).Elem().Name()
		if kind := regexp.MustCompile(`(?m)^kind: (.*)$`).FindSubmatch(text); kind == nil || string(kind[1]) != want {
			t.Errorf("%s is a %q, not a %s", e.Name(), kind, want)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return m
}

func (m *manifests) pod() *corev1.PodSpec         { return &m.set.Spec.Template.Spec }
func (m *manifests) container() *corev1.Container { return &m.pod().Containers[0] }

// environment is what the program finds in the pod with an ordinal.
func (m *manifests) environment(t *testing.T, ordinal int) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, v := range m.container().Env {
		switch {
		case v.ValueFrom == nil:
			env[v.Name] = v.Value
		case v.ValueFrom.FieldRef != nil && v.ValueFrom.FieldRef.FieldPath == "metadata.name":
			env[v.Name] = m.set.Name + "-" + strconv.Itoa(ordinal)
		default:
			t.Fatalf("%s comes from somewhere else: %+v", v.Name, v.ValueFrom)
		}
	}
	return env
}

// The program reads what the manifests set, and nothing else, and each pod comes
// to the same list of peers.
func TestEnvironment(t *testing.T) {
	m := read(t)
	var names []string
	for name := range m.environment(t, 0) {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(variables)); !slices.Equal(names, want) {
		t.Errorf("set are %q, read are %q", names, want)
	}
	for i := range int(*m.set.Spec.Replicas) {
		env := m.environment(t, i)
		c, err := configOf(func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		if len(c.peers) != int(*m.set.Spec.Replicas) || c.peers[i].Node != c.name || c.name != m.set.Name+"-"+strconv.Itoa(i) {
			t.Errorf("pod %d: %+v", i, c)
		}
		// <pod>.<service>, as the headless service makes it.
		if want := c.name + "." + m.set.Spec.ServiceName + ":" + strconv.Itoa(int(m.service.Spec.Ports[0].Port)); c.peers[i].Addr != want {
			t.Errorf("pod %d is at %s, want %s", i, c.peers[i].Addr, want)
		}
	}
	for _, name := range variables {
		env := m.environment(t, 0)
		delete(env, name)
		if _, err := configOf(func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, bad := range []string{"chronos", "chronos-x", "chronos-3"} {
		env := m.environment(t, 0)
		env["POD_NAME"] = bad
		if _, err := configOf(func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), "POD_NAME") {
			t.Errorf("pod %s: %v", bad, err)
		}
	}
}

// What has to fit to what.
func TestManifests(t *testing.T) {
	m := read(t)
	env := m.environment(t, 0)
	ports := map[string]int32{}
	for _, p := range m.container().Ports {
		ports[p.Name] = p.ContainerPort
	}
	labels := m.set.Spec.Template.Labels
	grace := time.Duration(*m.pod().TerminationGracePeriodSeconds) * time.Second
	svc, con := m.service.Spec, m.container()
	for what, ok := range map[string]bool{
		"the service is the one of the set":                  m.service.Name == m.set.Spec.ServiceName && m.service.Name == env["CHRONOS_SERVICE"],
		"the service is headless":                            svc.ClusterIP == corev1.ClusterIPNone,
		"nodes find each other before they are ready":        svc.PublishNotReadyAddresses,
		"nodes start side by side":                           m.set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement,
		"an odd number of nodes":                             *m.set.Spec.Replicas >= 3 && *m.set.Spec.Replicas%2 == 1,
		"the program listens at the port of the cluster":     strconv.Itoa(int(ports["cluster"])) == env["CHRONOS_CLUSTER_PORT"],
		"and at that of the probes":                          strconv.Itoa(int(ports["http"])) == env["CHRONOS_HTTP_PORT"],
		"the service leads to the port of the cluster":       len(svc.Ports) == 1 && svc.Ports[0].Port == ports["cluster"] && svc.Ports[0].TargetPort.StrVal == "cluster",
		"the selectors select the pods":                      reflect.DeepEqual(svc.Selector, labels) && reflect.DeepEqual(m.set.Spec.Selector.MatchLabels, labels) && reflect.DeepEqual(m.pdb.Spec.Selector.MatchLabels, labels) && reflect.DeepEqual(m.network.Spec.PodSelector.MatchLabels, labels),
		"one pod at a time may be taken away":                m.pdb.Spec.MaxUnavailable.IntValue() == 1,
		"the policy leaves the port of the cluster to nodes": len(m.network.Spec.Ingress) == 2 && m.network.Spec.Ingress[0].Ports[0].Port.StrVal == "cluster" && reflect.DeepEqual(m.network.Spec.Ingress[0].From[0].PodSelector.MatchLabels, labels) && m.network.Spec.Ingress[1].Ports[0].Port.StrVal == "http",
		"there is time to end in order":                      grace > notice+drain+stuck+10*time.Second,
		"the pod asks nothing of the API server":             m.pod().AutomountServiceAccountToken != nil && !*m.pod().AutomountServiceAccountToken,
		"nobody is root":                                     *m.pod().SecurityContext.RunAsNonRoot && *con.SecurityContext.ReadOnlyRootFilesystem && !*con.SecurityContext.AllowPrivilegeEscalation,
		"the liveness probe asks the program":                con.LivenessProbe.HTTPGet.Path == "/livez" && con.LivenessProbe.HTTPGet.Port.StrVal == "http",
		"the readiness probe, too":                           con.ReadinessProbe.HTTPGet.Path == "/readyz" && con.ReadinessProbe.HTTPGet.Port.StrVal == "http",
		"a pod is known not to be ready before it stops":     time.Duration(con.ReadinessProbe.PeriodSeconds*con.ReadinessProbe.FailureThreshold)*time.Second < notice,
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
	mounts := map[string]string{}
	for _, v := range con.VolumeMounts {
		mounts[v.MountPath] = v.Name
	}
	claim := m.set.Spec.VolumeClaimTemplates[0]
	if mounts[env["CHRONOS_VOLUME"]] != claim.Name || mounts[env["CHRONOS_TLS"]] != m.pod().Volumes[0].Name {
		t.Errorf("the program looks for what is not mounted there: %v", mounts)
	}
	if size := claim.Spec.Resources.Requests[corev1.ResourceStorage]; size.Cmp(resource.MustParse("256Mi")) < 0 {
		t.Errorf("a volume of %s is too small", size.String())
	}
}

// The secret that -secret prints is the one that the set mounts.
func TestSecret(t *testing.T) {
	m := read(t)
	secret := newSecret(t)
	if secret.Name != m.pod().Volumes[0].Secret.SecretName || secret.Kind != "Secret" || secret.Type != corev1.SecretTypeTLS {
		t.Errorf("%s %s %s", secret.Kind, secret.Name, secret.Type)
	}
	dir := mount(t, secret)
	if _, err := files(dir).mutual(); err != nil {
		t.Error(err)
	}
}

// newSecret is what -secret prints.
func newSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	var out bytes.Buffer
	if err := printSecret(&out); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := yaml.UnmarshalStrict(out.Bytes(), secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

// mount writes a secret as the kubelet does.
func mount(t *testing.T, secret *corev1.Secret) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range secret.StringData {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The image is built as the Dockerfile says, and runs as the manifests say.
func TestDockerfile(t *testing.T) {
	m := read(t)
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	line := func(word string) string {
		found := regexp.MustCompile(`(?m)^`+word+` (.*)$`).FindAllSubmatch(text, -1)
		if len(found) == 0 {
			t.Fatalf("no %s", word)
		}
		return string(found[len(found)-1][1])
	}
	var ports []string
	for _, p := range m.container().Ports {
		ports = append(ports, strconv.Itoa(int(p.ContainerPort)))
	}
	ctx := m.pod().SecurityContext
	if got, want := line("USER"), strconv.FormatInt(*ctx.RunAsUser, 10)+":"+strconv.FormatInt(*ctx.RunAsGroup, 10); got != want || *ctx.FSGroup != *ctx.RunAsGroup {
		t.Errorf("the image's user is %s, the pod's %s", got, want)
	}
	if got := line("EXPOSE"); got != strings.Join(ports, " ") {
		t.Errorf("the image's ports are %s, the pod's %q", got, ports)
	}
	run, ok := strings.CutSuffix(line("RUN"), " -o /chronos .")
	if !ok || line("ENTRYPOINT") != `["/chronos"]` || !strings.HasSuffix(line("WORKDIR"), "examples/kubernetes") {
		t.Fatalf("the program is not the one that was built: %s", run)
	}
	program := filepath.Join(t.TempDir(), "chronos")
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", run+" -o "+program+" .").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = []string{"POD_NAME=chronos-0"}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || !strings.Contains(string(out), "CHRONOS_TLS is not set") {
		t.Errorf("without its environment: %v\n%s", err, out)
	}
	cmd = exec.CommandContext(t.Context(), program, "-secret")
	cmd.Stderr = io.Discard
	if out, err := cmd.Output(); err != nil || !bytes.Contains(out, []byte("chronos-tls")) {
		t.Errorf("-secret: %v\n%s", err, out)
	}
	endsWhileItWaits(t, m, program)
}

// endsWhileItWaits starts the first of three pods alone, and deletes it.
func endsWhileItWaits(t *testing.T, m *manifests, program string) {
	t.Helper()
	secret := newSecret(t)
	cmd := exec.CommandContext(t.Context(), program)
	env := m.environment(t, 0)
	env["CHRONOS_TLS"], env["CHRONOS_VOLUME"] = mount(t, secret), t.TempDir()
	env["CHRONOS_SERVICE"], env["CHRONOS_CLUSTER_PORT"], env["CHRONOS_HTTP_PORT"] = "nowhere.invalid", "0", "0"
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for made := false; !made && len(ended) == 0; time.Sleep(10 * time.Millisecond) { // New has begun, and signals are caught
		_, err := os.Stat(filepath.Join(env["CHRONOS_VOLUME"], "data"))
		made = err == nil
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil || !strings.Contains(said.String(), "while it waits for the others") {
		t.Errorf("deleted while it waits: %v\n%s", err, said.String())
	}
}
