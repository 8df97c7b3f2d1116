package command

// wrongLogLines are wrong command lines of the commands that show logs, as in wrongLines.
const wrongLogLines = `
logs                               => Please specify an app to run the command on
logs -t                            => Please specify an app to run the command on
logs nosuch                        => 20 App nosuch does not exist
logs hello web                     => Unexpected argument "web"
logs hello -n                      => --num needs a value
logs hello -n x                    => Invalid value "x" for --num: give the number of lines
logs hello -n -1                   => Invalid value "-1" for --num: give the number of lines
logs hello -z                      => Invalid flag -z for logs
logs hello -p nosuch               => App hello has no process type "nosuch", it has: web, worker
logs fresh                         => App fresh has not been deployed
logs fresh -t                      => App fresh has not been deployed
logs hello -n ALL                  => Invalid value "ALL" for --num: give the number of lines, or all
logs hello -q=maybe                => Invalid value "maybe" for --quiet
logs:failed nosuch                 => 20 App nosuch does not exist
logs:failed hello --all            => Unexpected argument "hello"
logs:failed hello web              => Unexpected argument "web"
logs:failed hello -n 5             => Invalid flag -n for logs:failed
deploys:log                        => Please specify an app to run the command on
deploys:log nosuch                 => 20 App nosuch does not exist
deploys:log fresh                  => App fresh has no log of a deploy yet
deploys:log hello 1 2              => Unexpected argument "2"
`
