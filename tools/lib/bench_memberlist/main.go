// tools/lib/bench_memberlist: what test/net/bench_gossip measures, of hashicorp's memberlist.
//
//	bench_memberlist MODE [-n NODES] [-e ENTRIES] [-c CHANGES] [-r ROUNDS] [-s SECONDS] [-t LIMIT]
//
// N nodes in one process, LAN defaults, AES-256-GCM. Each keeps the whole table, the greater
// version wins. A change is queued at its origin, and at each node to which it is news; what
// gossip leaves out, memberlist's exchange of the whole state mends. An entry has 92 bytes, 64 of
// them random. What a node sends is counted where it is handed to a socket: 28 bytes of header
// are added to a datagram, nothing to what goes through TCP.
//
// The modes, and the names in the lines of JSON, are those of bench_gossip. The bytes of a lone
// change leave out what went through TCP, in memberlist's favour: that is exchanges of the whole
// table, which come whether anything changes or not, and the idle mode counts them.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	keyLen     = 16
	valueLen   = 64
	entryLen   = 8 + 2 + keyLen + 2 + valueLen
	headersLen = 28
	tail       = 100 * time.Millisecond // as bench_gossip
	settle     = 3 * time.Second        // likewise
)

// ---- what is sent ----

type sent struct{ datagrams, udp, tcp int64 }

func (s *sent) read() sent {
	return sent{atomic.LoadInt64(&s.datagrams), atomic.LoadInt64(&s.udp),
		atomic.LoadInt64(&s.tcp)}
}

func (s sent) bytes() int64 { return s.udp + headersLen*s.datagrams + s.tcp }

func (s sent) since(before sent) sent {
	return sent{s.datagrams - before.datagrams, s.udp - before.udp, s.tcp - before.tcp}
}

type countedConn struct {
	net.Conn
	sent *sent
}

func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	atomic.AddInt64(&c.sent.tcp, int64(n))
	return n, err
}

// countedTransport is memberlist's own, with a counter at each way out.
type countedTransport struct {
	*memberlist.NetTransport
	sent     *sent
	accepted chan net.Conn
}

func (t *countedTransport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	at, err := t.NetTransport.WriteToAddress(b, to)
	if err == nil {
		atomic.AddInt64(&t.sent.datagrams, 1)
		atomic.AddInt64(&t.sent.udp, int64(len(b)))
	}
	return at, err
}

func (t *countedTransport) WriteTo(b []byte, to string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: to})
}

func (t *countedTransport) DialAddressTimeout(to memberlist.Address,
	limit time.Duration) (net.Conn, error) {
	c, err := t.NetTransport.DialAddressTimeout(to, limit)
	if err != nil {
		return nil, err
	}
	return countedConn{c, t.sent}, nil
}

func (t *countedTransport) DialTimeout(to string, limit time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: to}, limit)
}

func (t *countedTransport) StreamCh() <-chan net.Conn { return t.accepted }

func (t *countedTransport) accept() {
	for c := range t.NetTransport.StreamCh() {
		t.accepted <- countedConn{c, t.sent}
	}
}

// ---- the table ----

type value struct {
	version uint64
	data    []byte
}

func appendEntry(b []byte, key string, v value) []byte {
	b = binary.BigEndian.AppendUint64(b, v.version)
	b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
	b = append(b, key...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v.data)))
	return append(b, v.data...)
}

// Only this program writes what it reads: no length is doubted.
func cutEntry(b []byte) (key string, v value, rest []byte) {
	v.version, b = binary.BigEndian.Uint64(b), b[8:]
	n := int(binary.BigEndian.Uint16(b))
	key, b = string(b[2:2+n]), b[2+n:]
	n = int(binary.BigEndian.Uint16(b))
	v.data = append([]byte(nil), b[2:2+n]...)
	return key, v, b[2+n:]
}

type news []byte

func (n news) Invalidates(memberlist.Broadcast) bool { return false }
func (n news) Message() []byte                       { return n }
func (n news) Finished()                             {}

// arrival waits for one key to be in every table.
type arrival struct {
	sync.Mutex
	key     string
	lacking int
	done    chan time.Time
}

func (a *arrival) expect(key string, count int) chan time.Time {
	a.Lock()
	defer a.Unlock()
	a.key, a.lacking, a.done = key, count, make(chan time.Time, 1)
	return a.done
}

func (a *arrival) came(key string) {
	a.Lock()
	defer a.Unlock()
	if key != a.key {
		return
	}
	if a.lacking--; a.lacking == 0 {
		a.done <- time.Now()
	}
}

type node struct {
	sync.Mutex
	table    map[string]value
	list     *memberlist.Memberlist
	queue    *memberlist.TransmitLimitedQueue
	received int64 // entries that gossip brought, news or not
	sent     sent
	arrival  *arrival
}

func (n *node) merge(key string, v value) bool {
	n.Lock()
	old, known := n.table[key]
	fresh := !known || v.version > old.version
	if fresh {
		n.table[key] = v
	}
	n.Unlock()
	if fresh {
		n.arrival.came(key)
	}
	return fresh
}

func (n *node) count() int {
	n.Lock()
	defer n.Unlock()
	return len(n.table)
}

func (n *node) write(key string) {
	v := value{uint64(time.Now().UnixNano()), randomValue()}
	n.merge(key, v)
	n.queue.QueueBroadcast(news(appendEntry(nil, key, v)))
}

// What memberlist asks of its user.

func (n *node) NodeMeta(int) []byte { return nil }

func (n *node) NotifyMsg(b []byte) {
	atomic.AddInt64(&n.received, 1)
	if key, v, _ := cutEntry(b); n.merge(key, v) {
		n.queue.QueueBroadcast(news(append([]byte(nil), b...)))
	}
}

func (n *node) GetBroadcasts(overhead, limit int) [][]byte {
	return n.queue.GetBroadcasts(overhead, limit)
}

func (n *node) LocalState(bool) []byte {
	n.Lock()
	defer n.Unlock()
	b := make([]byte, 0, len(n.table)*entryLen)
	for key, v := range n.table {
		b = appendEntry(b, key, v)
	}
	return b
}

func (n *node) MergeRemoteState(b []byte, _ bool) {
	for len(b) > 0 {
		var key string
		var v value
		key, v, b = cutEntry(b)
		n.merge(key, v)
	}
}

// ---- the cluster ----

type options struct {
	mode                                            string
	nodes, entries, changes, rounds, seconds, limit int
}

type cluster struct {
	options
	list    []*node
	arrival arrival
	end     time.Time // a round that is not over then is given up
	late    bool      // something was given up
	base    int64     // anonymous bytes before there was any node
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func keyOf(k int) string { return fmt.Sprintf("entry-%010d", k) }

func randomValue() []byte {
	b := make([]byte, valueLen)
	rand.Read(b)
	return b
}

// It takes a free port of TCP's and wants the same of UDP, which may be somebody's.
func listen() (t *memberlist.NetTransport, err error) {
	for try := 0; try < 20; try++ {
		t, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{"127.0.0.1"}, Logger: log.New(io.Discard, "", 0)})
		if err == nil {
			break
		}
	}
	return t, err
}

func (c *cluster) open(id int) *node {
	n := &node{table: map[string]value{}, arrival: &c.arrival}
	cfg := memberlist.DefaultLANConfig()
	own, err := listen()
	must(err)
	t := &countedTransport{own, &n.sent, make(chan net.Conn)}
	go t.accept()
	cfg.Name = fmt.Sprint("node", id)
	cfg.BindAddr, cfg.BindPort = "127.0.0.1", own.GetAutoBindPort()
	cfg.AdvertiseAddr, cfg.AdvertisePort = cfg.BindAddr, cfg.BindPort
	cfg.Transport = t
	cfg.SecretKey = []byte("an AES-256 key has 32 bytes, so!")
	cfg.Delegate = n
	cfg.LogOutput = io.Discard
	n.queue = &memberlist.TransmitLimitedQueue{RetransmitMult: cfg.RetransmitMult,
		NumNodes: func() int { return n.list.NumMembers() }}
	n.list, err = memberlist.Create(cfg)
	must(err)
	return n
}

// meet lets b and a exchange all they have, as joining and the periodic exchange do.
func meet(b, a *node) error {
	_, err := b.list.Join([]string{fmt.Sprint("127.0.0.1:", a.list.LocalNode().Port)})
	return err
}

// A node's timers keep the phase in which it started: spread them.
func (c *cluster) openAll() {
	tick := memberlist.DefaultLANConfig().GossipInterval
	for i := 0; i < c.nodes; i++ {
		time.Sleep(time.Duration(rand.Int63n(int64(tick))))
		c.list = append(c.list, c.open(i))
	}
}

func (c *cluster) joinAll() {
	for _, n := range c.list[1:] {
		must(meet(n, c.list[0]))
	}
	for _, n := range c.list {
		c.until(func() bool { return n.list.NumMembers() == c.nodes })
	}
	time.Sleep(settle)
}

func (c *cluster) close() {
	for _, n := range c.list {
		must(n.list.Shutdown())
	}
}

// put is how an entry comes into a table behind memberlist's back.
func put(k int, nodes []*node) {
	v := value{uint64(k + 1), randomValue()}
	for _, n := range nodes {
		n.merge(keyOf(k), value{v.version, append([]byte(nil), v.data...)})
	}
}

func (c *cluster) allButLast() []*node { return c.list[:len(c.list)-1] }

// load fills every table, but for one in `lacks` (0: none) that the last has not got.
func (c *cluster) load(lacks int) {
	for k := 0; k < c.entries; k++ {
		if lacks > 0 && k%lacks == 0 {
			put(k, c.allButLast())
		} else {
			put(k, c.list)
		}
	}
}

func (c *cluster) over() bool { return !time.Now().Before(c.end) }

func (c *cluster) until(done func() bool) {
	for !done() {
		if c.over() {
			c.late = true
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (c *cluster) sent() (sum sent) {
	for _, n := range c.list {
		s := n.sent.read()
		sum = sent{sum.datagrams + s.datagrams, sum.udp + s.udp, sum.tcp + s.tcp}
	}
	return sum
}

func (c *cluster) received() (sum int64) {
	for _, n := range c.list {
		sum += atomic.LoadInt64(&n.received)
	}
	return sum
}

// complete waits until each table has so many entries.
func (c *cluster) complete(count int) {
	for _, n := range c.list {
		c.until(func() bool { return n.count() >= count })
	}
}

// quiet waits until nobody has anything left to gossip, and then for a part of a tick, so that the
// next change falls anywhere between two.
func (c *cluster) quiet() {
	for _, n := range c.list {
		for n.queue.NumQueued() > 0 && !c.over() {
			time.Sleep(time.Millisecond)
		}
	}
	tick := memberlist.DefaultLANConfig().GossipInterval
	time.Sleep(time.Duration(rand.Int63n(int64(tick))))
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func anonymousBytes() (kb int64) {
	b, err := os.ReadFile("/proc/self/smaps_rollup")
	must(err)
	for _, line := range strings.Split(string(b), "\n") {
		fmt.Sscanf(line, "Anonymous: %d kB", &kb)
	}
	return kb * 1024
}

// ---- the modes ----

type result map[string]interface{}

func (r result) sent(s sent) {
	r["datagrams"], r["bytes"] = s.datagrams, s.bytes()
}

// say prints a round.
func (c *cluster) say(r result) {
	r["side"], r["mode"], r["nodes"], r["entries"] = "memberlist", c.mode, c.nodes, c.entries
	r["timeout"] = c.late
	must(json.NewEncoder(os.Stdout).Encode(r))
}

// change writes a new entry at a random node; ms until the last has it.
func (c *cluster) change(k int) float64 {
	done := c.arrival.expect(keyOf(k), c.nodes)
	began := time.Now()
	c.list[rand.Intn(c.nodes)].write(keyOf(k))
	select {
	case at := <-done:
		return at.Sub(began).Seconds() * 1e3
	case <-time.After(time.Until(c.end)):
		c.late = true
		return time.Since(began).Seconds() * 1e3
	}
}

// datagramsOnly is what a lone change is charged with.
func (s sent) datagramsOnly() sent { return sent{datagrams: s.datagrams, udp: s.udp} }

// Idle traffic is measured before, so that it can be taken off.
func (c *cluster) latency() {
	c.joinAll()
	before := c.sent()
	time.Sleep(time.Duration(c.seconds) * time.Second)
	idle := c.sent().since(before).datagramsOnly()
	for round := 0; round < c.rounds && (round == 0 || !c.over()); round++ {
		ms := []float64{}
		before, received, began := c.sent(), c.received(), time.Now()
		for len(ms) == 0 || len(ms) < c.changes && !c.over() {
			ms = append(ms, c.change(round*c.changes+len(ms)))
			c.quiet()
		}
		time.Sleep(tail)
		r := result{"ms": ms, "changes": len(ms), "seconds": time.Since(began).Seconds(),
			"copies":       float64(c.received()-received) / float64(len(ms)) / float64(c.nodes-1),
			"idle_seconds": c.seconds, "idle_bytes": idle.bytes()}
		r.sent(c.sent().since(before).datagramsOnly())
		c.say(r)
	}
}

func (c *cluster) burst() {
	r := result{}
	c.joinAll()
	before, received, began := c.sent(), c.received(), time.Now()
	for k := 0; k < c.changes; k++ {
		c.list[0].write(keyOf(k))
	}
	c.complete(c.changes)
	r["changes"], r["seconds"] = c.changes, time.Since(began).Seconds()
	time.Sleep(tail)
	r["copies"] = float64(c.received()-received) / float64(c.changes) / float64(c.nodes-1)
	r.sent(c.sent().since(before))
	c.say(r)
}

// waitForRhythm returns when a second is like the next: a node's exchanges begin between one and two
// intervals after its start, and then come once an interval, which grows with the cluster: 90 s for
// a hundred nodes.
func (c *cluster) waitForRhythm(began time.Time) {
	interval := memberlist.DefaultLANConfig().PushPullInterval
	for nodes := 32; nodes < c.nodes; nodes *= 2 {
		interval += memberlist.DefaultLANConfig().PushPullInterval
	}
	time.Sleep(time.Until(began.Add(2*interval + settle)))
}

func (c *cluster) idle() {
	opened := time.Now()
	c.joinAll()
	c.load(0)
	c.waitForRhythm(opened)
	for round := 0; round < c.rounds; round++ {
		cpu, before, began := cpuSeconds(), c.sent(), time.Now()
		time.Sleep(time.Duration(c.seconds) * time.Second)
		r := result{"seconds": time.Since(began).Seconds(), "cpu_s": cpuSeconds() - cpu}
		r.sent(c.sent().since(before))
		c.say(r)
	}
}

// In a running cluster the last lacks 1 % from one moment on, and nobody is told.
func (c *cluster) unseen() {
	opened, common := time.Now(), c.entries-c.entries/100
	last := c.list[c.nodes-1]
	c.joinAll()
	for k := 0; k < common; k++ {
		put(k, c.list)
	}
	c.waitForRhythm(opened)
	time.Sleep(time.Duration(rand.Int63n(int64(memberlist.DefaultLANConfig().PushPullInterval))))
	for k := common; k < c.entries; k++ {
		put(k, c.allButLast())
	}
	began := time.Now()
	c.until(func() bool { return last.count() > common })
	r := result{"noticed": time.Since(began).Seconds()}
	c.complete(c.entries)
	r["seconds"] = time.Since(began).Seconds()
	c.say(r)
}

// One dies, sockets and all; ms until each of the others says so.
func (c *cluster) death() {
	ms := []float64{}
	c.joinAll()
	time.Sleep(time.Duration(rand.Int63n(int64(time.Second))))
	began := time.Now()
	must(c.list[c.nodes-1].list.Shutdown())
	known := make([]bool, c.nodes-1)
	c.until(func() bool {
		for i, n := range c.allButLast() {
			if !known[i] && n.list.NumMembers() < c.nodes {
				known[i] = true
				ms = append(ms, time.Since(began).Seconds()*1e3)
			}
		}
		return len(ms) == c.nodes-1
	})
	c.say(result{"ms": ms, "seconds": time.Since(began).Seconds()})
}

// One exchange, asked for at once. memberlist itself waits for its interval first: up to 30 s.
func (c *cluster) exchange(lacks int) result {
	c.load(lacks)
	last, r := c.list[c.nodes-1], result{}
	before, began := c.sent(), time.Now()
	if err := meet(last, c.list[0]); err != nil {
		r["failed"] = err.Error()
	} else {
		c.complete(c.entries)
	}
	r["seconds"] = time.Since(began).Seconds()
	time.Sleep(tail)
	r.sent(c.sent().since(before))
	return r
}

func (c *cluster) catchup() { c.say(c.exchange(100)) }
func (c *cluster) join()    { c.say(c.exchange(1)) }

// Of the whole process. What the collector has not given back counts: the system misses it.
func (c *cluster) memory() {
	r := c.exchange(1)
	r["joined"] = anonymousBytes() - c.base
	for k := 0; k < c.entries; k++ {
		c.list[0].merge(keyOf(k), value{uint64(c.entries + k + 1), randomValue()})
	}
	if err := meet(c.list[1], c.list[0]); err != nil {
		r["failed"] = err.Error()
	}
	r["churned"] = anonymousBytes() - c.base
	c.say(r)
}

func open(o options) *cluster {
	c := &cluster{options: o, base: anonymousBytes(),
		end: time.Now().Add(time.Duration(o.limit) * time.Second)}
	c.openAll()
	return c
}

func main() {
	modes := map[string]struct {
		run     func(*cluster)
		nodes   int  // fixed; 0: as asked for
		windows bool // its rounds are windows of one cluster
	}{
		"latency": {(*cluster).latency, 0, true}, "idle": {(*cluster).idle, 0, true},
		"burst": {(*cluster).burst, 0, false}, "unseen": {(*cluster).unseen, 0, false},
		"catchup": {(*cluster).catchup, 2, false}, "join": {(*cluster).join, 2, false},
		"memory": {(*cluster).memory, 2, false}, "death": {(*cluster).death, 0, false},
	}
	o := options{}
	f := flag.NewFlagSet("bench_memberlist", flag.ExitOnError)
	f.IntVar(&o.nodes, "n", 3, "nodes")
	f.IntVar(&o.entries, "e", 0, "entries in every table")
	f.IntVar(&o.changes, "c", 30, "changes")
	f.IntVar(&o.rounds, "r", 1, "rounds")
	f.IntVar(&o.seconds, "s", 5, "seconds of idling that are measured")
	f.IntVar(&o.limit, "t", 120, "seconds after which a round is given up")
	if len(os.Args) < 2 || modes[os.Args[1]].run == nil {
		fmt.Fprintln(os.Stderr,
			"usage: bench_memberlist latency|burst|idle|catchup|unseen|join|memory|death")
		f.PrintDefaults()
		os.Exit(2)
	}
	o.mode = os.Args[1]
	mode := modes[o.mode]
	must(f.Parse(os.Args[2:]))
	if mode.nodes > 0 {
		o.nodes = mode.nodes
	}
	rand.Seed(time.Now().UnixNano())
	good := true
	for i := 0; i < o.rounds; i++ {
		c := open(o)
		mode.run(c)
		c.close()
		good = good && !c.late
		if mode.windows {
			break
		}
	}
	if !good {
		os.Exit(1)
	}
}
