// yardstick BROKER PREFIX: what the lag of all groups whose names begin with PREFIX costs another client of Kafka, which
// makes nothing of it. Prints CPU seconds, wall seconds and MiB of memory at most, of one look.
//
// Machines differ by more than twofold; by how much Highwater takes more than this, they hardly do.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Looks before those that are averaged, as in a program that has run for a while.
const warm, averaged = 3, 6

func main() {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	admin, ctx := kadm.NewClient(client), context.Background()
	listed, err := admin.ListGroups(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var groups []string
	for _, group := range listed.Groups() {
		if strings.HasPrefix(group, os.Args[2]) {
			groups = append(groups, group)
		}
	}
	for range warm {
		look(ctx, admin, groups)
	}
	begun, before := time.Now(), usage()
	for range averaged {
		look(ctx, admin, groups)
	}
	after := usage()
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	fmt.Println(cpu.Seconds()/averaged, time.Since(begun).Seconds()/averaged, peak()/1024)
}

// peak is the most memory of this process so far, in KiB. That of getrusage begins with what its parent had.
func peak() (kib float64) {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		_, after, _ := strings.Cut(string(status), "VmHWM:")
		_, err = fmt.Sscan(after, &kib)
	}
	if err != nil {
		log.Fatal(err)
	}
	return kib
}

func look(ctx context.Context, admin *kadm.Client, groups []string) {
	lags, err := admin.Lag(ctx, groups...)
	if err == nil {
		err = lags.Error()
	}
	if err != nil {
		log.Fatal(err)
	}
	if len(lags) != len(groups) || len(groups) == 0 {
		log.Fatalf("%d groups of %d", len(lags), len(groups))
	}
}

func usage() (usage syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return usage
}
