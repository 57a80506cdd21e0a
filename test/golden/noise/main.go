// Command noise writes test/golden/noise.txt: our handshake as another implementation of the Noise
// Protocol Framework makes it, github.com/flynn/noise. What is around the Noise messages (heads,
// macs) is not its business and not here.
//
//	apt-get install golang-go golang-github-flynn-noise-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go run test/golden/noise/main.go >test/golden/noise.txt
//
// All that is random is SHA-256 of a number, so that it writes the same file every time.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log"
	"strings"

	"github.com/flynn/noise"
)

const head = `# Handshakes of Noise_IXpsk0_25519_ChaChaPoly_SHA256 by github.com/flynn/noise, with our prologue
# and payloads: test/golden/noise/main.go wrote them, test/net/test_noise_flynn.c makes them again.
# init and resp are the Noise messages in INIT and RESP; data_a0 and so on are what each side seals
# first and second, the bodies "0" and "1", with no additional data.
`

// 32 bytes that are somebody's, by case and name.
func draw(number int, name string) []byte {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s %d", name, number)))
	return sum[:]
}

func put(number int, name string) uint64 {
	return binary.LittleEndian.Uint64(draw(number, name))
}

// INIT's payload: init_time, boot, proto_min, proto_max, datagram_max, flags, zeros.
func initPayload(number int) []byte {
	b := make([]byte, 32)
	binary.LittleEndian.PutUint64(b, put(number, "init_time"))
	binary.LittleEndian.PutUint64(b[8:], put(number, "boot a"))
	binary.LittleEndian.PutUint16(b[16:], 1)
	binary.LittleEndian.PutUint16(b[18:], 1+uint16(number))
	binary.LittleEndian.PutUint16(b[20:], 1232)
	return b
}

// RESP's: init_time, boot, proto, datagram_max, flags, zeros.
func respPayload(number int) []byte {
	b := make([]byte, 32)
	binary.LittleEndian.PutUint64(b, put(number, "init_time"))
	binary.LittleEndian.PutUint64(b[8:], put(number, "boot b"))
	binary.LittleEndian.PutUint16(b[16:], 1)
	binary.LittleEndian.PutUint16(b[18:], 1232)
	return b
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func static(suite noise.CipherSuite, secret []byte) noise.DHKey {
	key, err := suite.GenerateKeypair(bytes.NewReader(secret))
	must(err)
	return key
}

func side(number int, cluster, who string, initiator bool) *noise.HandshakeState {
	suite := noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashSHA256)
	prologue := append([]byte("gossipvs1\x00"), byte(len(cluster)))
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:           suite,
		Random:                bytes.NewReader(draw(number, "e "+who)),
		Pattern:               noise.HandshakeIX,
		Initiator:             initiator,
		Prologue:              append(prologue, cluster...),
		PresharedKey:          draw(number, "psk"),
		PresharedKeyPlacement: 0,
		StaticKeypair:         static(suite, draw(number, "static "+who)),
	})
	must(err)
	return state
}

func seal(c *noise.CipherState, body string) []byte {
	out, err := c.Encrypt(nil, nil, []byte(body))
	must(err)
	return out
}

func handshake(number int, cluster string) {
	a, b := side(number, cluster, "a", true), side(number, cluster, "b", false)
	first, _, _, err := a.WriteMessage(nil, initPayload(number))
	must(err)
	_, _, _, err = b.ReadMessage(nil, first)
	must(err)
	second, _, b1, err := b.WriteMessage(nil, respPayload(number))
	must(err)
	_, a0, _, err := a.ReadMessage(nil, second)
	must(err)
	fmt.Printf("cluster %s\n", cluster)
	for _, name := range []string{"psk", "static a", "static b", "e a", "e b"} {
		fmt.Printf("%s %x\n", strings.ReplaceAll(name, " ", "_"), draw(number, name))
	}
	fmt.Printf("payload_init %x\npayload_resp %x\n", initPayload(number), respPayload(number))
	fmt.Printf("init %x\nresp %x\n", first, second)
	for _, body := range []string{"0", "1"} {
		fmt.Printf("data_a%s %x\ndata_b%s %x\n", body, seal(a0, body), body, seal(b1, body))
	}
}

func main() {
	fmt.Print(head)
	for number, cluster := range []string{"prod-eu", "x", strings.Repeat("long", 63) + "est"} {
		handshake(number, cluster)
	}
}
